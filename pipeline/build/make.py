"""Make packages step by step: do what is not up to date, then place the result in ``dist/``."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import keys
from pipeline.build.order import DEBUGINFO, SRPM, STEPS, Step
from pipeline.config import load
from pipeline.model import Built, Options, Plan
from pipeline.model.errors import UnpackError, VerifyError
from pipeline.system import contents
from pipeline.system.disk import guarded
from pipeline.system.locks import in_use, locked
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, place_text, remove
from pipeline.toolchain import emulator

_DEFAULT = Options()


def step_dirs(
    plan: Plan, workspace: Workspace, options: Options = _DEFAULT, last: str = ""
) -> StepDirs:
    """The folders of a plan's steps, or of those that are needed for ``last``; see ``keys.of``."""
    return StepDirs(workspace, keys.of(plan, workspace.root, last), options)


def existing(plan: Plan, workspace: Workspace) -> Built | None:
    """The package, if it is up to date, for who asks for many: no lock is waited for.

    A build or a signing that is under way, or was interrupted, makes it none. So does a source of
    the user, which is verified in every run.
    """
    if plan.user_source:
        return None
    dirs = step_dirs(plan, workspace, last=STEPS[-1].name)
    try:
        return placement.finished(plan, dirs)
    except FileNotFoundError:  # removed, or replaced, since its statement was read
        return None


def package(plan: Plan, workspace: Workspace, report: Report, options: Options = _DEFAULT) -> Built:
    """Make a package, or find that it is up to date."""
    with guarded(), in_use(workspace):
        dirs = step_dirs(plan, workspace, options)
        waiting = partial(report.wait, plan.nevra)
        with locked(workspace.locks, plan.nevra, waiting=waiting):
            verified = _verified(plan, dirs, report)
            if built := placement.finished(plan, dirs, locked=True):
                return built
            # The check needs them: better to fail before a minute of compiling.
            emulator.runner(plan)
            load.manifests(dirs.workspace.root, plan)
            _advance(verified, dirs, report, STEPS[-1].name)
            return placement.place_package(plan, dirs)


def step(
    plan: Plan, workspace: Workspace, report: Report, last: str, options: Options = _DEFAULT
) -> Path:
    """Do one step and what is missing before it; the answer is the step's folder.

    After the steps ``srpm`` and ``debuginfo``, it is their package, under its final name.
    """
    with guarded(), in_use(workspace):
        dirs = step_dirs(plan, workspace, options, last)
        if last == SRPM.name:
            _advance(plan, dirs, report, SRPM.after)
            _perform(SRPM, plan, dirs, report)
            return placement.place_source_package(plan, dirs)
        if last == DEBUGINFO.name:
            verified = _verified(plan, dirs, report)
            _advance(verified, dirs, report, DEBUGINFO.after)
            _perform(DEBUGINFO, verified, dirs, report)
            return placement.place_debuginfo(plan, dirs)
        _advance(plan, dirs, report, last)
        return dirs.folder(last)


def _verified(plan: Plan, dirs: StepDirs, report: Report) -> Plan:
    """The plan without a source of the user: once verified, it is the same tree as a pinned one."""
    if plan.user_source:
        _advance(plan, dirs, report, "unpack")
    return replace(plan, user_source=None)


def _advance(plan: Plan, dirs: StepDirs, report: Report, last: str) -> None:
    """Do the step ``last`` and those before it that are not up to date.

    What comes before the last result that is there is not needed. But a source of the user is
    fetched and verified in every run.
    """
    steps = STEPS[: [step.name for step in STEPS].index(last) + 1]
    finished = [step for step in steps if dirs.done(step.name).exists()]
    needed = steps[steps.index(finished[-1]) + 1 :] if finished else steps
    for step in steps:
        verifies = plan.user_source and step.name in ("fetch", "unpack")
        if not (step in needed or step.name == last or verifies):
            continue
        try:
            _perform(step, plan, dirs, report)
        except (UnpackError, VerifyError):
            # Fetched again the next time: the same URL may give the right source by then.
            if plan.user_source:
                dirs.done("fetch").unlink(missing_ok=True)
            raise


def _perform(step: Step, plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Run a step in an empty folder, under its lock; the stamp that it is done comes last."""
    folder = dirs.folder(step.name)
    lock, waiting = f"{step.name}-{folder.name}", partial(report.wait, step.name)
    with locked(dirs.workspace.locks, lock, inherited=True, waiting=waiting):
        if dirs.done(step.name).exists():
            report.step(step.name, None)
            return
        if step.within and contents.differences(*_result(dirs, step.within)):
            # A run of this step that was interrupted has left something.
            dirs.done(step.within).unlink()
            _perform(_named(step.within), plan, dirs, report)
        _verify(dirs, *step.reads)
        remove(folder)
        folder.mkdir(parents=True)
        began = time.monotonic()
        report.begin(step.name)
        with guarded(folder, dirs.workspace.cache):
            step.run(plan, dirs, report)
        place_text(contents.record(_result(dirs, step.name)[0]), dirs.done(step.name))
        report.step(step.name, time.monotonic() - began)


def _verify(dirs: StepDirs, *names: str) -> None:
    """Raise WorkspaceError if what steps have left was changed since."""
    for name in names:
        contents.verify(*_result(dirs, name))


def _result(dirs: StepDirs, name: str) -> tuple[Path, Path]:
    """The folder of a step's result, and the record of it."""
    return dirs.folder(_named(name).within or name), dirs.done(name)


def _named(name: str) -> Step:
    return next(step for step in (*STEPS, DEBUGINFO, SRPM) if step.name == name)
