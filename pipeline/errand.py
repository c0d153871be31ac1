"""What the doors call: many plans in turn, and the tables and lines that the user reads."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

from pipeline import build, disk, grid, host, locks, recipes, record, request, workspace
from pipeline.board import Result, board, matrix, totals, verdict
from pipeline.errors import CheckError, HostError, PackagingError, RequestError
from pipeline.model import PLAIN, Built, Plan
from pipeline.report import Report


def make(root: Path, plans: Sequence[Plan], last: str, *, offline: bool, jobs: int = 0) -> None:
    """Build every plan, or do one step of it and what is missing before; go on after a failure.

    ``last`` is ``build``, ``srpm`` or the name of a step. Of many plans, ``jobs`` are at work at
    once, by default as many as there are cores. The first failure is raised in the end.
    """
    if jobs < 0:
        raise RequestError("--jobs", expected="a number of 1 or more", got=str(jobs))
    place, report = workspace.locate(root), Report()
    jobs = min(jobs or build.cores(), len(plans))

    def act(plan: Plan, news: Report) -> Built | Path:
        threads = max(1, build.cores() // jobs)
        if last == "build":
            return build.build(plan, place, news, offline=offline, threads=threads)
        if last == build.SOURCE.name:
            return build.source(plan, place, news, offline=offline)
        return build.do(plan, place, news, last, offline=offline, threads=threads)

    if len(plans) > 1:
        _make_many(plans, act, jobs, report)
        return
    report.line(plans[0].nevra)
    began = time.monotonic()
    _show(act(plans[0], report), time.monotonic() - began, report)


def _make_many(plans: Sequence[Plan], act: grid.Act, jobs: int, report: Report) -> None:
    build.load()
    began, before = time.monotonic(), sum(os.times()[:4])
    with board() as shown:
        outcomes = grid.run(plans, act, jobs, shown)
    wall, busy = time.monotonic() - began, sum(os.times()[:4]) - before
    results = [outcome.result for outcome in outcomes]
    report.line("")
    cells = ((outcome.plan, _summary(outcome)) for outcome in outcomes)
    for line in matrix(cells):
        report.line(line)
    report.line("")
    report.line(f"{totals(results)}; {wall:.1f} s, of the processor {busy:.1f} s, {jobs} at once")
    _tell_of_age(results, report)
    failed = [(outcome.plan, outcome.problem) for outcome in outcomes if outcome.problem]
    if failed:
        _fail(failed, outcomes)


def _summary(outcome: grid.Outcome) -> str:
    """A cell of the summary: how long it took, where something was made."""
    word = verdict(outcome.result)
    return f"{outcome.seconds:.1f} s" if word == "built" else word


def _tell_of_age(results: Sequence[Result], report: Report) -> None:
    """Say of each dist that is past its end, where something was made for it."""
    made = (each.plan.root for each in results if isinstance(each, Built) and each.fresh)
    for root in {root.dist: root for root in made}.values():
        if root.support.until < date.today():
            report.line(f"{root.title} has had no maintenance since {root.support.until}")


def smoke(root: Path, plans: Sequence[Plan]) -> None:
    """Run programs on the library of every plan's package, going on after a failure.

    What is tried is the RPM in ``dist/`` as it is. The first failure is raised in the end.
    """
    from pipeline.smoke import suite

    place, report = workspace.locate(root), Report()

    def one(plan: Plan) -> None:
        rpm, log = _present(plan, place), place.work / "smoke" / f"{plan.nevra}.log"
        if not record.finished(plan, build.prepare(plan, place)):
            report.line(f"  outdated, and tried all the same; to make it anew: {_command(plan)}")
        with (
            disk.guarded(),
            locks.in_use(place),
            tempfile.TemporaryDirectory(prefix="mimalloc-smoke-") as room,
        ):
            workspace.remove(log)
            suite.run(plan, rpm, Path(room), place, log, report)

    _each(plans, one, report, "good")


def manifest(root: Path, plans: Sequence[Plan]) -> None:
    """Hold `rpm -qlp` of every plan's package to its manifest. Raises CheckError with the diff."""
    from pipeline import facts
    from pipeline.checks import files

    place, report = workspace.locate(root), Report()

    def one(plan: Plan) -> None:
        rpm = _present(plan, place)
        lists = {rpm: (recipes.manifest_file(root, plan), recipes.manifest(root, plan))}
        switched = recipes.switch_manifest_file(root, plan)
        if plan.switched and switched:
            lists[rpm.with_name(plan.switched.file_name)] = (
                switched,
                recipes.switch_manifest(root, plan),
            )
        for each, (file, lines) in lists.items():
            with disk.guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-") as room:
                found = facts.read(each, Path(room), library=plan.library)
            for finding in files.manifest(found, plan, lines):
                raise CheckError(
                    f"{each.name} lists other paths than its manifest",
                    detail=finding.got,
                    file=file,
                    hint="if the new list is meant, write it into the manifest",
                )
            told = "" if each == rpm else f" of {each.name}"
            report.line(f"  {len(found.listing)} paths, as in the manifest{told}")

    _each(plans, one, report, "as in their manifests")


def verify(root: Path, rpm: Path, *, offline: bool) -> None:
    """Make a package anew, and compare it with a file that was published."""
    from pipeline import verify

    report = Report()
    with disk.guarded():
        verify.run(rpm, workspace.locate(root), report, offline=offline)
    report.line(f"  as its recipe makes it, byte for byte: {rpm}")


def show_grid(root: Path) -> None:
    """Recipes by dists and machines: the release number of what is built, or a dash."""
    place, report, every = workspace.locate(root), Report(), request.EVERY
    plans = request.plans(root, version=every, dist=every, arch=every, flavor=every)
    for line in matrix((plan, _state(plan, place)) for plan in plans):
        report.line(line)


def show_host(root: Path) -> None:
    """Needed programs, and what the environment pins. Raises HostError where one is missing."""
    report = Report()
    found = host.programs(root)
    for program in found:
        told = program.version if program.path else f"missing; in package {program.package}"
        report.line(f"{program.name:<14} {told:<36} {program.need:<9} {program.purpose}")
    for name, version in host.pinned().items():
        report.line(f"{name:<14} {version:<36} {'needed':<9} pinned in requirements.txt")
    missing = [program for program in found if program.missing and program.need == "needed"]
    if missing:
        raise HostError(
            "missing: " + ", ".join(program.name for program in missing),
            hint="./bootstrap invoke doctor",
        )


def _each(plans: Sequence[Plan], act: Callable[[Plan], None], report: Report, done: str) -> None:
    """Act on every plan, going on after a failure; the first failure is raised in the end."""
    failures: list[tuple[Plan, PackagingError]] = []
    for plan in plans:
        report.line(plan.nevra)
        try:
            act(plan)
        except PackagingError as problem:
            if len(plans) == 1:
                raise
            failures.append((plan, problem))
            report.line(str(problem))
    if failures:
        _fail(failures, plans, done)


def _fail(
    failures: Sequence[tuple[Plan, PackagingError]], of: Sequence[object], done: str = "done"
) -> NoReturn:
    """Raise with the first failure's exit code; what it was stands above."""
    raise type(failures[0][1])(
        f"{len(failures)} of {len(of)} failed, {len(of) - len(failures)} {done}",
        detail="\n".join(f"{plan.nevra}: {problem.what}" for plan, problem in failures),
    )


def _present(plan: Plan, place: workspace.Workspace) -> Path:
    rpm = record.destination(plan, place)
    if not rpm.exists():
        raise RequestError("there is no such package yet", file=rpm, hint=_command(plan))
    return rpm


def _command(plan: Plan) -> str:
    """The command that makes a package."""
    which = {"version": plan.recipe.version, "dist": plan.root.dist, "arch": plan.arch}
    which |= {} if plan.variant == PLAIN else {"flavor": plan.variant}
    return " ".join(["invoke build", *(f"--{name} {value}" for name, value in which.items())])


def _show(built: Built | Path, seconds: float, report: Report) -> None:
    if isinstance(built, Path):
        report.line(f"  {built}")
        return
    took = f"built in {seconds:.1f} s" if built.fresh else "up to date"
    report.line(f"  {took}: {built.rpm}")
    report.line(f"  {built.size} bytes, sha256 {built.sha256}")
    if built.plan.switched:
        report.line(f"  with {built.rpm.with_name(built.plan.switched.file_name)}")
    _tell_of_age([built], report)


def _state(plan: Plan, place: workspace.Workspace) -> str:
    if record.finished(plan, build.prepare(plan, place)):
        return str(plan.recipe.release)
    return "outdated" if record.destination(plan, place).exists() else "-"
