"""The cost of a build: `invoke build` and a plain script that makes the same package."""

import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import by_hand, checkout
from benchmarks.checkout import Command, MeasuredCheckout
from benchmarks.settings import Settings
from pipeline.build import make, selection
from pipeline.compare.results import Results, schedule, spread, table
from pipeline.model import Selection
from pipeline.model.errors import FetchError
from pipeline.system import workspace
from pipeline.system.report import QuietReport, Report
from pipeline.system.temporary import temporary
from pipeline.toolchain import compiler

# The commands that are compared.
BY_HAND, UNCHECKED, WHOLE = "by-hand.sh", "invoke package", "invoke build"
BARE, VERSION = "python -c pass", "invoke --version"


def run(settings: Settings, root: Path, report: Report) -> None:
    """Print a table for each package, and one for a build with nothing to do."""
    with temporary("benchmark") as scratch:
        measured = checkout.copy(root, scratch)
        for package in settings.package:
            try:
                lines = [*_cold(package, measured, settings.rounds.cold)]
            except FetchError as problem:
                version = package.version
                report.line(f"NOT MEASURED: the build of mimalloc {version}: {problem.what}")
                continue
            if package == settings.package[0]:
                lines += _warm(package, measured, settings.rounds.warm)
            for line in lines:
                report.line(line)


def _cold(package: Selection, measured: MeasuredCheckout, rounds: int) -> Iterator[str]:
    """Builds without a work folder; the source and the compiler's own files are in the cache."""
    place = measured.workspace
    plan = selection.plan(place.root, package.version, package.dist, platform.machine())
    # The first build fills the cache, and its logs have the commands for the script.
    built = make.package(plan, place, QuietReport())
    folder = place.root.with_name(f"{package.version}-{package.dist}")
    script = by_hand.write(plan, make.step_dirs(plan, place), folder)
    command = (script.argv, compiler.environment(plan, place))
    measured.seconds(command)
    identical = by_hand.compare(script, built, make.step_dirs(plan, place).stage)
    commands: dict[str, Command] = {
        BY_HAND: command,
        UNCHECKED: measured.invoke("package", package),
        WHOLE: measured.invoke("build", package),
    }

    def remove() -> None:
        for old in (place.work, place.dist, script.work):
            workspace.remove(old)

    results = _timed(commands, measured, rounds, remove)
    yield from _lines(f"{package.version} {package.dist}, cold", results, BY_HAND)
    yield from ("", f"{BY_HAND} makes {identical}, byte for byte.")


def _warm(package: Selection, measured: MeasuredCheckout, rounds: int) -> Iterator[str]:
    """Builds with nothing to do, and what Python and invoke take by themselves."""
    commands: dict[str, Command] = {
        BARE: ((sys.executable, "-c", "pass"), {}),
        VERSION: measured.invoke("--version"),
        WHOLE: measured.invoke("build", package),
    }
    for command in commands.values():
        measured.seconds(command)
    results = _timed(commands, measured, rounds, lambda: None)
    title = f"{package.version} {package.dist}, warm: nothing to do"
    yield from _lines(title, results, VERSION)


def _timed(
    commands: Mapping[str, Command],
    measured: MeasuredCheckout,
    rounds: int,
    prepare: Callable[[], None],
) -> Results[float]:
    seconds: dict[tuple[str, str], list[float]] = {("", name): [] for name in commands}
    for _, case, name in schedule(rounds, [""], commands):
        prepare()
        seconds[case, name].append(measured.seconds(commands[name]))
    return Results([""], list(commands), seconds)


def _lines(title: str, results: Results[float], base: str) -> Iterator[str]:
    rows = [["seconds", "least", "median", "most", f"of {base}"]]
    for name in results.subjects:
        seconds = spread(results.values("", name, float))
        ratios = spread(results.ratios("", name, float, base))
        numbers = (seconds.low, seconds.median, seconds.high)
        rows.append([name, *(f"{number:.3f}" for number in numbers), ratios.text(3)])
    yield from ("", title, "", *table(rows, markdown=True))
