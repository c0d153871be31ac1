"""`invoke compare`: nginx on each allocator in turn; then listings, JSON and pictures."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from pipeline.compare import instructions, nginx, plot, results, summary
from pipeline.compare.allocators import Allocator, gather
from pipeline.compare.nginx import Measurement, Setup, measure
from pipeline.compare.results import Results, schedule
from pipeline.compare.settings import Request, requested
from pipeline.model.errors import HostError, RequestError
from pipeline.smoke import nginx as host_nginx
from pipeline.system import workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.temporary import temporary
from pipeline.toolchain import host_programs


def run(root: Path, request: Request) -> Path:
    """Compare, print and write the results; returns the folder of JSON and pictures."""
    settings, program, report = requested(request), _nginx(request.nginx), Report()
    place = workspace.locate(root)
    target = Path(request.output).absolute() if request.output else place.work / "compare"
    files = [target / f"nginx.{ending}" for ending in ("json", "svg", "png")]
    host = host_programs.description()
    with guarded(), temporary("compare") as scratch:
        setup = Setup(program, settings, scratch / "content")
        allocators, missing = gather(place, scratch, request, settings.allocators)
        report.line("\n".join([*host, ""]))
        measured = measure_all(setup, allocators, report)
        report.line(
            "\n".join(["", *summary.lines(measured), "", *results.lines(measured, settings)])
        )
        for name, reason in missing.items():
            report.line(f"NOT MEASURED: {name}: {reason}")
        workspace.place_text(results.document(measured, settings, allocators, host), files[0])
        plot.draw(measured, allocators, files[1:])
    report.line("\n".join(["", *(f"  {file}" for file in files)]))
    return target


def measure_all(setup: Setup, allocators: list[Allocator], report: Report) -> Results[Measurement]:
    """Measure each load on each allocator, in all rounds."""
    nginx.create_content(setup.content)
    rounds: dict[tuple[str, str], list[Measurement]] = {}
    loads = setup.settings.load
    for number, load, allocator in schedule(setup.settings.rounds, loads, allocators):
        folder = setup.content.with_name(f"{number}-{load.name}-{allocators.index(allocator)}")
        measurement = measure(setup, allocator, load, folder)
        rounds.setdefault((load.name, allocator.name), []).append(measurement)
        report.line(
            f"{number + 1} {load.name:<8} {allocator.name:<28} {measurement.cpu:6.0f} us, "
            f"{measurement.answers.rate:6.0f} req/s  RSS {measurement.peak.rss / 1024:6.1f} MiB"
        )
    names = tuple(allocator.name for allocator in allocators)
    counted = _count_all(setup, allocators, report)
    return Results(tuple(load.name for load in loads), names, rounds, counted)


def _count_all(
    setup: Setup, allocators: list[Allocator], report: Report
) -> dict[tuple[str, str], float]:
    """The instructions for a request, by load and allocator, where the host can count them."""
    counted: dict[tuple[str, str], float] = {}
    if not setup.settings.counted:
        return counted
    if not instructions.available():
        report.line("NOT COUNTED: instructions: no valgrind on this host")
        return counted
    for load in (load for load in setup.settings.load if not load.reload):
        for place, allocator in enumerate(allocators):
            folder = setup.content.with_name(f"counted-{load.name}-{place}")
            count = instructions.per_request(setup, allocator, load, folder)
            counted[load.name, allocator.name] = count
            report.line(f"  {load.name:<8} {allocator.name:<28} {count:12.0f} instructions")
    return counted


def _nginx(path: str) -> str:
    """The nginx to run. Raises an error, before measuring, for all that is missing in the end."""
    if path and not Path(path).is_file():
        raise RequestError("--nginx", expected="the path of an nginx", got=path)
    for program, purpose in (("wrk", "put nginx under load"), ("openssl", "make a certificate")):
        if not shutil.which(program):
            raise HostError(f"no {program} on this host to {purpose}", hint="invoke doctor")
    if not find_spec("matplotlib"):
        raise HostError("no matplotlib to draw the pictures", hint="./bootstrap invoke compare")
    return str(Path(path).absolute()) if path else host_nginx.find()
