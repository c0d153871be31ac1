"""The cost of an allocation: programs on our library, plain builds of it and other allocators."""

import platform
import shutil
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from benchmarks import programs, variants
from benchmarks.programs import Program, Usage
from benchmarks.settings import Settings
from benchmarks.variants import PACKAGE, PLAIN
from pipeline.build import selection
from pipeline.compare.allocators import C_LIBRARY, Allocator, of_host, parse
from pipeline.compare.results import Measure, Results, schedule, spread, table
from pipeline.model import Selection
from pipeline.model.errors import CompareError
from pipeline.smoke import preload
from pipeline.smoke.preload import Assertion
from pipeline.system import process, workspace
from pipeline.system.report import Report
from pipeline.system.temporary import temporary

_C_LIBRARY_FILE = "libc.so.6"

Number = TypeVar("Number")


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured, and with what."""

    allocators: list[Allocator]
    programs: list[Program]
    starter: Path
    scratch: Path


def run(settings: Settings, root: Path, report: Report) -> None:
    """Print a table for each measure and each comparison."""
    place, arch = workspace.locate(root), platform.machine()
    with temporary("benchmark") as folder:
        # The compiler of the workloads is the same for all releases.
        plan = selection.plans(root, Selection(dist=settings.library.dist))[0]
        ours, missing = variants.gather(settings.library, arch, place, folder)
        others, missing_others = of_host(root)
        started, missing_programs = programs.gather(settings.workload, plan, place, folder)
        starter = programs.compiled(programs.STARTER, plan, place, folder)
        others += [parse(text, folder) for text in settings.library.allocators]
        setup = Setup([Allocator(C_LIBRARY), *ours, *others], started, starter, folder)
        _check_allocators(setup, report)
        missing |= missing_others | missing_programs
        if shutil.which(programs.COUNTER):
            # Several at once: that does not change their number.
            counted = measure(setup, settings.rounds.counted, programs.count, process.cores())
            _print("instructions", counted, float, settings, report)
        else:
            missing["instructions"] = f"no {programs.COUNTER} on this host"

        def time(program: Program, allocator: Allocator) -> tuple[Usage, str]:
            usage = programs.measure(
                starter, program.timed, library=allocator.library, env=program.env
            )
            return usage, usage.output

        timed = measure(setup, settings.rounds.library, time, 1)
        _print("processor time", timed, attrgetter("cpu"), settings, report)
        _print("largest resident size", timed, attrgetter("resident"), settings, report)
    for name, reason in missing.items():
        report.line(f"NOT MEASURED: {name}: {reason}")


def _check_allocators(setup: Setup, report: Report) -> None:
    """Check that programs run on every allocator, before anything is measured."""
    report.line("")
    for number, allocator in enumerate(setup.allocators):
        folder = setup.scratch / "traces" / str(number)
        file = bound_library(allocator, setup.programs[0].counted, folder)
        report.line(f"in use: {allocator.name}: malloc and free are bound to {file.name}")


def bound_library(allocator: Allocator, argv: Sequence[str], folder: Path) -> Path:
    """The library that the loader binds a program's malloc and free to.

    Raises CompareError where that is not the allocator. The loader writes into ``folder``.
    """
    folder.mkdir(parents=True)
    debug = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(folder / "of")}
    code, _, errors = process.attempt(argv, env={**debug, **allocator.variables()})
    trace = "\n".join(preload.loader_output(folder))
    # The loader may have another path for the C library than the kernel.
    targets = (Path(target) for _, _, target in preload.bindings(trace))
    c_library = next((file for file in targets if file.name == _C_LIBRARY_FILE), None)
    library = allocator.library or c_library or Path(_C_LIBRARY_FILE)
    claims = [
        preload.bound(trace, library, ("free", "malloc")),
        preload.not_rejected(errors),
        Assertion("exit code", "0", str(code)),
    ]
    failed = [claim.line() for claim in claims if not claim.holds]
    if failed:
        what = f"programs do not run on {allocator.name}"
        raise CompareError(what, detail="\n".join(failed), file=library)
    return library


def measure(
    setup: Setup, rounds: int, run: Callable[[Program, Allocator], tuple[Number, str]], jobs: int
) -> Results[Number]:
    """The numbers of all programs on all allocators, ``jobs`` runs at a time.

    Raises CompareError where a program prints something else than on the C library's allocator.
    """
    runs = list(schedule(rounds, setup.programs, setup.allocators))
    numbers: dict[tuple[str, str], list[Number]] = {}
    outputs: dict[tuple[str, str], set[str]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda planned: run(*planned[1:]), runs)
        for (_, program, allocator), (number, output) in zip(runs, results, strict=True):
            key = program.name, allocator.name
            numbers.setdefault(key, []).append(number)
            outputs.setdefault(key, set()).add(output)
    for (program_name, allocator_name), texts in outputs.items():
        reference = outputs[program_name, C_LIBRARY]
        programs.check_output(program_name, allocator_name, texts | reference)
    names = [allocator.name for allocator in setup.allocators]
    return Results([program.name for program in setup.programs], names, numbers)


def _print(
    title: str,
    results: Results[Number],
    number: Measure[Number],
    settings: Settings,
    report: Report,
) -> None:
    """Print the ratios to the C library's allocator, then those to the plain build."""
    pairs = [(name, C_LIBRARY) for name in results.subjects]
    lines = ["", f"{title}, of what it is on {C_LIBRARY}", ""]
    lines += ratios("allocator", results, number, pairs)
    pairs = [
        (f"{release} {PACKAGE}", f"{release} {PLAIN}")
        for release in settings.library.releases
        if {f"{release} {PACKAGE}", f"{release} {PLAIN}"} <= set(results.subjects)
    ]
    if pairs:
        lines += ["", f"{title}, of what it is on {PLAIN} of the same release", ""]
        lines += ratios("library", results, number, pairs)
    for line in lines:
        report.line(line)


def ratios(
    heading: str,
    results: Results[Number],
    number: Measure[Number],
    pairs: Sequence[tuple[str, str]],
) -> list[str]:
    """A table of allocators, each divided by its base: the median of each program, and the mean.

    The mean is the geometric one, because only that does not depend on which is the base.
    """
    rows = [[heading, *results.cases, "mean"]]
    for name, base in pairs:
        programs = [results.ratios(case, name, number, base) for case in results.cases]
        means = [statistics.geometric_mean(values) for values in zip(*programs, strict=True)]
        medians = [f"{spread(values).median:.3f}" for values in programs]
        rows.append([name, *medians, spread(means).text(3)])
    return table(rows, markdown=True)
