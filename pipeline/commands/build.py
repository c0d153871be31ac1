"""Build packages, or do a step of that: one with its steps, or many at once with a summary."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.build import keys, make, parallel
from pipeline.build.progress import Outcome, Progress, Result, failures, live_table, summary
from pipeline.build.selection import plans
from pipeline.commands import sequential
from pipeline.model import Built, Options, Plan, Selection
from pipeline.model.errors import PackagingError
from pipeline.system import process, workspace
from pipeline.system.locks import in_use
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

BUILD = "build"


def run(root: Path, selection: Selection, last: str, options: Options) -> dict[str, object]:
    """Build every package of a selection, or do one step of it and what is missing before.

    ``last`` is ``build``, ``srpm``, ``debuginfo`` or the name of a step. A failure does not stop
    the others; the first one is raised in the end. The answer is for ``--json``.
    """
    return many(workspace.locate(root), plans(root, selection), last, options, Report())


def many(
    place: Workspace, plans: Sequence[Plan], last: str, options: Options, report: Report
) -> dict[str, object]:
    """Do the same for plans: one with its steps, or several at once."""
    # To look takes less than to start a process for each package, where nothing is to do.
    ready = _up_to_date(plans, place) if last == BUILD and len(plans) > 1 else {}
    jobs = max(1, min(options.jobs or process.cores(), len(plans) - len(ready)))
    options = replace(options, jobs=jobs, threads=max(1, process.cores() // jobs))

    def action(plan: Plan, report: Report) -> Built | Path:
        if last == BUILD:
            return make.package(plan, place, report, options)
        return make.step(plan, place, report, last, options)

    if len(plans) == 1:
        outcomes = [_single(plans[0], action, report)]
    else:
        # The code is read once, before the workers are forked, and not by each of them.
        keys.of(plans[0], place.root, last)
        outcomes = _at_once(plans, ready, action, jobs, report)
    built = (outcome.plan.root for outcome in outcomes if outcome.verdict == "built")
    for root in {root.dist: root for root in built}.values():
        if root.support.until < date.today():
            report.line(f"{root.title} has had no maintenance since {root.support.until}")
    results: dict[str, object] = {"packages": [outcome.fields() for outcome in outcomes]}
    sequential.check(failures(outcomes), len(outcomes), "done", results)
    return results


def _single(plan: Plan, action: parallel.Action, report: Report) -> Outcome:
    report.line(plan.nevra)
    began = time.monotonic()
    result: Result
    try:
        result = action(plan, report)
    except PackagingError as problem:
        result = problem
    outcome = Outcome(plan, time.monotonic() - began, result)
    if isinstance(result, Path):
        report.line(f"  {result}")
    elif isinstance(result, Built):
        state = f"built in {outcome.seconds:.1f} s" if result.fresh else "up to date"
        report.line(f"  {state}: {result.rpm}")
        report.line(f"  {result.size} bytes, sha256 {result.sha256}")
        for name in plan.file_names[1:]:
            report.line(f"  with {result.rpm.with_name(name)}")
    return outcome


def _up_to_date(plans: Sequence[Plan], place: Workspace) -> dict[str, Outcome]:
    """Those of the plans that are up to date, by name."""
    outcomes = {}
    with in_use(place):
        for plan in plans:
            began = time.monotonic()
            if built := make.existing(plan, place):
                outcomes[plan.nevra] = Outcome(plan, time.monotonic() - began, built)
    return outcomes


def _at_once(
    plans: Sequence[Plan],
    ready: Mapping[str, Outcome],
    action: parallel.Action,
    jobs: int,
    report: Report,
) -> list[Outcome]:
    began = time.monotonic()
    waiting = [plan for plan in plans if plan.nevra not in ready]
    with live_table() as live:
        progress = Progress(live)
        for outcome in ready.values():
            progress.end(outcome)
        done = parallel.run(waiting, action, jobs, progress)
    by_name = {**ready, **{outcome.plan.nevra: outcome for outcome in done}}
    outcomes = [by_name[plan.nevra] for plan in plans]
    *table, total = summary(outcomes)
    total += f"; {time.monotonic() - began:.1f} s, {jobs} at once"
    for line in ("", *table, total):
        report.line(line)
    return outcomes
