"""The cost of many packages at once: their time compared with the processors' time, the memory."""

import resource
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import checkout
from benchmarks.checkout import MeasuredCheckout
from benchmarks.settings import Settings
from pipeline.build import make, order, selection
from pipeline.compare.results import table
from pipeline.model import Selection
from pipeline.model.errors import CompileError, FetchError
from pipeline.system import process, procfs
from pipeline.system.report import QuietReport, Report
from pipeline.system.temporary import temporary

# Seconds between two samples of the memory of all processes.
_INTERVAL = 0.5


def run(settings: Settings, root: Path, report: Report) -> None:
    """Make all packages of the releases whose source is available, and print what it took."""
    with temporary("benchmark") as scratch:
        measured = checkout.copy(root, scratch)
        packages = settings.parallel
        releases = list(_available(packages, measured, report))
        if not releases:
            return
        lines = list(_measure(replace(packages, version=",".join(releases)), measured))
    for line in ("", f"{', '.join(releases)} for {packages.dist}", "", *lines):
        report.line(line)


def _available(packages: Selection, measured: MeasuredCheckout, report: Report) -> Iterator[str]:
    """The releases that can be built here; their sources are in the cache afterwards."""
    place = measured.workspace
    for plan in selection.plans(place.root, Selection(version=packages.version)):
        try:
            make.step(plan, place, QuietReport(), "fetch")
            yield plan.recipe.version
        except FetchError as problem:
            report.line(f"NOT MEASURED: mimalloc {plan.recipe.version}: {problem.what}")


def _measure(packages: Selection, measured: MeasuredCheckout) -> Iterator[str]:
    """Tables of seconds, processor time and memory, and of how often each step was done."""
    argv, env = measured.invoke("build", packages)
    place, log = measured.workspace, measured.starter.with_name("log")
    memory, began, before = 0, time.monotonic(), _processor_time()
    with process.running(argv, log=log, cwd=place.root, env=env) as build:
        while build.returncode is None:
            try:
                build.wait(_INTERVAL)
            except subprocess.TimeoutExpired:
                sizes = [member.pss or 0 for member in procfs.family(build.pid)]
                memory = max(memory, sum(sizes))
    wall, cpu, cores = time.monotonic() - began, _processor_time() - before, process.cores()
    if build.returncode != 0:
        lines = process.last_lines(log.read_text(errors="replace"))
        raise CompileError("the packages cannot be measured", detail=lines)
    count = len(list(place.dist.rglob("*.rpm")))
    # The ideal: each core works all the time.
    numbers = [f"{wall:.1f}", f"{cpu:.1f}", str(cores), f"{wall * cores / cpu:.3f}"]
    head = ["packages", "seconds", "of the processor", "cores", "of the ideal", "most MiB"]
    yield from table([head, [str(count), *numbers, f"{memory / 1024:.0f}"]], markdown=True)
    yield ""
    steps = [step.name for step in order.STEPS]
    times = [str(len(list(place.work.glob(f"{step}/*/contents")))) for step in steps]
    yield from table([["step", *steps], ["times done", *times]], markdown=True)


def _processor_time() -> float:
    """Seconds of all child processes that have ended, and of those that they have waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
