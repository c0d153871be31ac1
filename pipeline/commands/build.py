"""Build packages, or do a step of that: one with its steps, or many at once with a summary."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

from pipeline.build import make, parallel
from pipeline.build.order import SRPM
from pipeline.build.progress import matrix, progress, totals, verdict
from pipeline.build.selection import Selection, plans
from pipeline.commands import each
from pipeline.model import Built, Options, Plan
from pipeline.model.errors import RequestError
from pipeline.system import process, workspace
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

BUILD = "build"


def run(root: Path, selection: Selection, last: str, options: Options) -> None:
    """Build every package of a selection, or do one step of it and what is missing before.

    ``last`` is ``build``, ``srpm`` or the name of a step. A failure does not stop the others; the
    first one is raised in the end.
    """
    if options.jobs < 0:
        raise RequestError("--jobs", expected="a number of 1 or more", got=str(options.jobs))
    many(workspace.locate(root), plans(root, selection), last, options, Report())


def many(
    place: Workspace, chosen: Sequence[Plan], last: str, options: Options, report: Report
) -> None:
    """The same for plans: one after its steps, or several at once."""
    jobs = min(options.jobs or process.cores(), len(chosen))
    options = replace(options, jobs=jobs, threads=max(1, process.cores() // jobs))
    act = partial(_make, place, last, options)
    if len(chosen) > 1:
        _in_parallel(chosen, act, jobs, report)
        return
    report.line(chosen[0].nevra)
    began = time.monotonic()
    _show(act(chosen[0], report), time.monotonic() - began, report)


def _make(
    place: Workspace, last: str, options: Options, plan: Plan, report: Report
) -> Built | Path:
    if last == BUILD:
        return make.package(plan, place, report, options)
    if last == SRPM.name:
        return make.source_package(plan, place, report, options)
    return make.step(plan, place, report, last, options)


def _in_parallel(chosen: Sequence[Plan], act: parallel.Act, jobs: int, report: Report) -> None:
    make.import_later_modules()
    began, before = time.monotonic(), sum(os.times()[:4])
    with progress() as shown:
        outcomes = parallel.run(chosen, act, jobs, shown)
    wall, busy = time.monotonic() - began, sum(os.times()[:4]) - before
    report.line("")
    for line in matrix((outcome.plan, _summary(outcome)) for outcome in outcomes):
        report.line(line)
    report.line("")
    results = [outcome.result for outcome in outcomes]
    report.line(f"{totals(results)}; {wall:.1f} s, of the processor {busy:.1f} s, {jobs} at once")
    _report_end_of_support(results, report)
    failed = [(outcome.plan, outcome.problem) for outcome in outcomes if outcome.problem]
    if failed:
        each.fail(failed, len(outcomes), "done")


def _summary(outcome: parallel.Outcome) -> str:
    """A cell of the summary: how long it took, where something was made."""
    word = verdict(outcome.result)
    return f"{outcome.seconds:.1f} s" if word == "built" else word


def _report_end_of_support(results: Iterable[object], report: Report) -> None:
    """Say of each dist that is past its end, where something was made for it."""
    made = (each.plan.root for each in results if isinstance(each, Built) and each.fresh)
    for root in {root.dist: root for root in made}.values():
        if root.support.until < date.today():
            report.line(f"{root.title} has had no maintenance since {root.support.until}")


def _show(built: Built | Path, seconds: float, report: Report) -> None:
    if isinstance(built, Path):
        report.line(f"  {built}")
        return
    took = f"built in {seconds:.1f} s" if built.fresh else "up to date"
    report.line(f"  {took}: {built.rpm}")
    report.line(f"  {built.size} bytes, sha256 {built.sha256}")
    if built.plan.subpackage:
        report.line(f"  with {built.rpm.with_name(built.plan.subpackage.file_name)}")
    _report_end_of_support([built], report)
