"""Build packages, or do a step of that: one with its steps, or many at once with a summary."""

import importlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

from pipeline.build import keys, make, parallel
from pipeline.build.order import SRPM
from pipeline.build.progress import Outcome, Progress, live_table, matrix, totals, verdict
from pipeline.build.selection import Selection, plans
from pipeline.commands import sequential
from pipeline.model import Built, Options, Plan
from pipeline.model.errors import PackagingError, RequestError
from pipeline.system import process, workspace
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

BUILD = "build"

# What the steps import when they need it, since it takes time.
_IMPORTED_LATE = (
    *("jinja2", "pipeline.checks", "pipeline.inspect"),
    *("pipeline.artifact.sbom", "pipeline.smoke.trials"),
)


def run(root: Path, selection: Selection, last: str, options: Options) -> None:
    """Build every package of a selection, or do one step of it and what is missing before.

    ``last`` is ``build``, ``srpm`` or the name of a step. A failure does not stop the others; the
    first one is raised in the end.
    """
    if options.jobs < 0:
        raise RequestError("--jobs", expected="a number of 1 or more", got=str(options.jobs))
    many(workspace.locate(root), plans(root, selection), last, options, Report())


def many(
    place: Workspace, plans: Sequence[Plan], last: str, options: Options, report: Report
) -> None:
    """Do the same for plans: one with its steps, or several at once."""
    jobs = min(options.jobs or process.cores(), len(plans))
    options = replace(options, jobs=jobs, threads=max(1, process.cores() // jobs))
    action = partial(_make, place, last, options)
    if len(plans) > 1:
        # Read once, before the workers are forked, and not by each of them.
        for module in _IMPORTED_LATE:
            importlib.import_module(module)
        keys.of(plans[0], place.root)
        _in_parallel(plans, action, jobs, report)
        return
    report.line(plans[0].nevra)
    began = time.monotonic()
    result = action(plans[0], report)
    _show(result, time.monotonic() - began, report)


def _make(
    place: Workspace, last: str, options: Options, plan: Plan, report: Report
) -> Built | Path:
    if last == BUILD:
        return make.package(plan, place, report, options)
    if last == SRPM.name:
        return make.source_package(plan, place, report, options)
    return make.step(plan, place, report, last, options)


def _in_parallel(plans: Sequence[Plan], action: parallel.Action, jobs: int, report: Report) -> None:
    began, cpu_before = time.monotonic(), sum(os.times()[:4])
    with live_table() as live:
        outcomes = parallel.run(plans, action, jobs, Progress(live))
    seconds, cpu_seconds = time.monotonic() - began, sum(os.times()[:4]) - cpu_before
    results = [outcome.result for outcome in outcomes]
    table = matrix((outcome.plan, _summary(outcome)) for outcome in outcomes)
    total = f"{totals(results)}; {seconds:.1f} s, CPU {cpu_seconds:.1f} s, {jobs} at once"
    for line in ("", *table, "", total):
        report.line(line)
    _report_end_of_support(results, report)
    failures = [
        (plan, result) for plan, _, result in outcomes if isinstance(result, PackagingError)
    ]
    if failures:
        sequential.fail(failures, len(outcomes), "done")


def _summary(outcome: Outcome) -> str:
    """A cell of the summary: the seconds of a build, or the verdict."""
    word = verdict(outcome.result)
    return f"{outcome.seconds:.1f} s" if word == "built" else word


def _report_end_of_support(results: Iterable[object], report: Report) -> None:
    """Report each dist that is past its end of support, where something was built for it."""
    roots = (result.plan.root for result in results if isinstance(result, Built) and result.fresh)
    for root in {root.dist: root for root in roots}.values():
        if root.support.until < date.today():
            report.line(f"{root.title} has had no maintenance since {root.support.until}")


def _show(result: Built | Path, seconds: float, report: Report) -> None:
    if isinstance(result, Path):
        report.line(f"  {result}")
        return
    state = f"built in {seconds:.1f} s" if result.fresh else "up to date"
    report.line(f"  {state}: {result.rpm}")
    report.line(f"  {result.size} bytes, sha256 {result.sha256}")
    if result.plan.subpackage:
        report.line(f"  with {result.rpm.with_name(result.plan.subpackage.file_name)}")
    _report_end_of_support([result], report)
