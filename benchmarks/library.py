"""The price of an allocation: programs on our library, beside plain builds and other allocators."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import allocators, counting, programs, usage
from benchmarks.allocators import C_LIBRARY, OURS, PLAIN, POINTERS, Allocator, named
from benchmarks.columns import table
from benchmarks.programs import Program
from benchmarks.settings import Settings
from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.compare import statistics
from pipeline.model.errors import SmokeError
from pipeline.system import workspace
from pipeline.system.report import Report

# Allocator and program to what each round came to.
Rounds = Mapping[tuple[str, str], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of every program on every allocator; less of it is better."""

    title: str
    allocators: tuple[str, ...]
    programs: tuple[str, ...]
    rounds: Rounds

    def ratios(self, name: str, reference: str) -> dict[str, list[float]]:
        """Each program's ratio in each round, and the mean of all programs."""
        found = {
            program: statistics.ratios(self.rounds[name, program], self.rounds[reference, program])
            for program in self.programs
        }
        return {**found, "mean": statistics.mean(list(found.values()))}

    def lines(self, pairs: Sequence[tuple[str, str]], head: str) -> Iterator[str]:
        """A table of some allocators, each by its reference: the median, and the mean's spread."""
        rows = []
        for name, reference in pairs:
            found = self.ratios(name, reference)
            mean = statistics.spread(found.pop("mean"))
            cells = [f"{figures.spread(values).middle:.3f}" for values in found.values()]
            rows.append([name, *cells, mean.text(3)])
        yield from table([head, *self.programs, "mean"], rows)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and with what."""

    allocators: tuple[Allocator, ...]
    programs: tuple[Program, ...]
    starter: usage.Starter
    scratch: Path


def run(settings: Settings, root: Path, report: Report) -> list[Measured]:
    """Measure, and print a table for each measure and each comparison."""
    place, arch = workspace.locate(root), platform.machine()
    with tempfile.TemporaryDirectory(prefix="mimalloc-bench-") as room:
        folder = Path(room)
        # Which release it is does not matter: the compiler for the workloads is that of all.
        plan = selection.plans(root, Selection(dist=settings.library.dist))[0]
        starter = usage.starter(plan, place, folder)
        found, missing = allocators.gather(settings.library, settings.rival, arch, place, folder)
        started, lacking = programs.gather(settings.workload, plan, place, folder)
        missing |= lacking
        bench = Bench(tuple(found), tuple(started), starter, folder)
        _prove(bench, report)
        results = []
        if counting.at_hand():
            results.append(_counted(bench, settings.rounds.counted))
        else:
            missing["instructions"] = f"no {counting.PROGRAM} on this host"
        results += _timed(bench, settings.rounds.library)
    _tell(results, missing, settings, report)
    return results


def _prove(bench: Bench, report: Report) -> None:
    """Every allocator is the one that programs run on; else nothing is measured."""
    report.line("")
    for number, allocator in enumerate(bench.allocators):
        traces = bench.scratch / "traces" / str(number)
        file = allocators.proven(allocator, bench.programs[0].counted, traces)
        report.line(f"in use: {allocator.name}: malloc and free are bound to {Path(file).name}")


def _reference(bench: Bench, command: Callable[[Program], tuple[str, ...]]) -> dict[str, str]:
    """What each program prints on the C library's allocator, by its name."""
    return {
        each.name: bench.starter.run(command(each), error=SmokeError, env=each.env).output
        for each in bench.programs
    }


def _counted(bench: Bench, rounds: int) -> Measured:
    """Instructions; several programs at once, because company does not change their number."""
    reference = _reference(bench, lambda program: program.counted)

    def one(pair: tuple[Allocator, Program]) -> int:
        allocator, program = pair
        count, output = counting.instructions(
            program.counted, allocator.library, program.env, bench.scratch
        )
        programs.hold(program.name, allocator.name, output, reference[program.name])
        return count

    pairs = [(each, program) for program in bench.programs for each in bench.allocators]
    found: dict[tuple[str, str], list[float]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (allocator, program), count in zip(
            pairs * rounds, pool.map(one, pairs * rounds), strict=True
        ):
            found.setdefault((allocator.name, program.name), []).append(count)
    return _measured("instructions", bench, found)


def _timed(bench: Bench, rounds: int) -> list[Measured]:
    """The processors' time and the largest resident size, one program at a time, in turn."""
    reference = _reference(bench, lambda program: program.timed)
    taken: dict[tuple[str, str], list[usage.Usage]] = {}
    for number in range(rounds):
        for program in bench.programs:
            for allocator in statistics.turns(bench.allocators, number):
                took = bench.starter.run(
                    program.timed, error=SmokeError, library=allocator.library, env=program.env
                )
                programs.hold(program.name, allocator.name, took.output, reference[program.name])
                taken.setdefault((allocator.name, program.name), []).append(took)

    def measure(title: str, value: Callable[[usage.Usage], float]) -> Measured:
        found = {pair: [value(took) for took in each] for pair, each in taken.items()}
        return _measured(title, bench, found)

    return [
        measure("processor time", lambda took: took.cpu),
        measure("largest resident size", lambda took: took.resident),
    ]


def _measured(title: str, bench: Bench, found: Rounds) -> Measured:
    names = tuple(each.name for each in bench.allocators)
    return Measured(title, names, tuple(each.name for each in bench.programs), found)


def _tell(
    results: Sequence[Measured], missing: Mapping[str, str], settings: Settings, report: Report
) -> None:
    for result in results:
        everything = [(name, C_LIBRARY) for name in result.allocators]
        lines = [f"{result.title}, of what it is on {C_LIBRARY}", ""]
        lines += result.lines(everything, "allocator")
        pairs = list(_twins(result, settings))
        if pairs:
            lines += ["", f"{result.title}, of what it is on {PLAIN} of the same release", ""]
            lines += result.lines(pairs, "library")
        for line in ("", *lines):
            report.line(line)
    for name, reason in missing.items():
        report.line(f"NOT MEASURED: {name}: {reason}")


def _twins(result: Measured, settings: Settings) -> Iterator[tuple[str, str]]:
    """Ours, with and without frame pointers, and the plain build of the same release."""
    for release in settings.library.releases:
        for kind in (OURS, POINTERS):
            pair = named(release, kind), named(release, PLAIN)
            if set(pair) <= set(result.allocators):
                yield pair
