"""A real nginx under each allocator in turn: rounds, then listings, JSON and a picture."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import figures, machine, workspace
from pipeline.disk import guarded
from pipeline.errors import RequestError
from pipeline.nginx import allocators, live, measure, plot, settings, tell
from pipeline.nginx.allocators import Allocator
from pipeline.nginx.measure import Taken
from pipeline.nginx.results import Results
from pipeline.nginx.settings import Settings
from pipeline.report import Report
from pipeline.smoke import live as host

NAME = "nginx"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user wants compared, in the words of the command line; empty means: as it comes."""

    nginx: str = ""
    allocator: tuple[str, ...] = ()
    version: str = ""
    dist: str = ""
    flavor: str = ""
    load: str = ""
    rounds: str = ""
    seconds: str = ""
    output: str = ""
    sample: bool = False


def run(root: Path, asked: Asked, report: Report) -> Path:
    """Compare, tell, and write it down; the answer is the folder with JSON and pictures."""
    place, program = workspace.locate(root), _nginx(asked.nginx)
    chosen = settings.asked(
        rounds=asked.rounds, seconds=asked.seconds, loads=asked.load, sample=asked.sample
    )
    target = Path(asked.output).absolute() if asked.output else place.work / "compare"
    measure.wrk()
    with guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-compare-") as room:
        folder = Path(room)
        found, missing = allocators.gather(
            place,
            folder,
            asked.allocator,
            version=asked.version,
            dist=asked.dist,
            flavor=asked.flavor,
        )
        found = found[: chosen.allocators] if chosen.allocators else found
        told = machine.lines()
        for line in (*told, ""):
            report.line(line)
        results = rounds(program, found, chosen, folder, report)
    _tell(results, chosen, missing, report)
    target.mkdir(parents=True, exist_ok=True)
    document = tell.document(results, chosen, found, told)
    workspace.place_text(document, target / f"{NAME}.json")
    pictures = [target / f"{NAME}.{ending}" for ending in ("svg", "png")]
    plot.draw(results, found, pictures)
    report.line("")
    for file in (target / f"{NAME}.json", *pictures):
        report.line(f"  {file}")
    return target


def rounds(
    program: str, found: Sequence[Allocator], chosen: Settings, folder: Path, report: Report
) -> Results:
    """Every load on every allocator, round by round, in another order each time."""
    served = live.furnish(folder)
    taken: dict[tuple[str, str], list[Taken]] = {
        (load.name, each.name): [] for load in chosen.load for each in found
    }
    for number in range(chosen.rounds):
        for load in chosen.load:
            for each in figures.turns(found, number):
                own = folder / f"{number}-{load.name}-{found.index(each)}"
                one = measure.once(program, each, load, chosen, own, served)
                taken[load.name, each.name].append(one)
                report.line(f"{number + 1} {load.name:<8} {each.name:<28} {tell.ending(one)}")
    return Results(chosen.load, tuple(each.name for each in found), taken)


def _tell(results: Results, chosen: Settings, missing: dict[str, str], report: Report) -> None:
    report.line("")
    for line in tell.lines(results, chosen):
        report.line(line)
    for name, reason in missing.items():
        report.line(f"NOT MEASURED: {name}: {reason}")


def _nginx(path: str) -> str:
    if path and not Path(path).is_file():
        raise RequestError("--nginx", expected="the path of an nginx", got=path)
    return str(Path(path).absolute()) if path else host.nginx()
