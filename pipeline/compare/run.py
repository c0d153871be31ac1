"""A real nginx under each allocator in turn: rounds, then listings, JSON and a picture."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.compare import (
    allocators,
    host_description,
    listing,
    measurement,
    nginx,
    plot,
    settings,
    statistics,
)
from pipeline.compare.allocators import Allocator
from pipeline.compare.measurement import Taken
from pipeline.compare.results import Results
from pipeline.compare.settings import Request, Settings
from pipeline.model.errors import RequestError
from pipeline.smoke import nginx as host
from pipeline.system import workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report

NAME = "nginx"


def run(root: Path, request: Request) -> Path:
    """Compare, print and write the results; the answer is the folder with JSON and pictures."""
    place, program, report = workspace.locate(root), _nginx(request.nginx), Report()
    chosen = settings.requested(request)
    target = Path(request.output).absolute() if request.output else place.work / "compare"
    measurement.wrk()
    with guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-compare-") as scratch:
        folder = Path(scratch)
        found, missing = allocators.gather(place, folder, request)
        found = found[: chosen.allocators] if chosen.allocators else found
        told = host_description.lines()
        for line in (*told, ""):
            report.line(line)
        results = rounds(program, found, chosen, folder, report)
    _tell(results, chosen, missing, report)
    target.mkdir(parents=True, exist_ok=True)
    document = listing.document(results, chosen, found, told)
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
    served = nginx.furnish(folder)
    taken: dict[tuple[str, str], list[Taken]] = {
        (load.name, each.name): [] for load in chosen.load for each in found
    }
    for number in range(chosen.rounds):
        for load in chosen.load:
            for each in statistics.turns(found, number):
                own = folder / f"{number}-{load.name}-{found.index(each)}"
                one = measurement.once(program, each, load, chosen, own, served)
                taken[load.name, each.name].append(one)
                report.line(f"{number + 1} {load.name:<8} {each.name:<28} {listing.ending(one)}")
    return Results(chosen.load, tuple(each.name for each in found), taken)


def _tell(results: Results, chosen: Settings, missing: dict[str, str], report: Report) -> None:
    report.line("")
    for line in listing.lines(results, chosen):
        report.line(line)
    for name, reason in missing.items():
        report.line(f"NOT MEASURED: {name}: {reason}")


def _nginx(path: str) -> str:
    if path and not Path(path).is_file():
        raise RequestError("--nginx", expected="the path of an nginx", got=path)
    return str(Path(path).absolute()) if path else host.nginx()
