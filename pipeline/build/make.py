"""Packages made, step by step: what is up to date, what is to be done, the way into ``dist/``."""

import importlib
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import keys
from pipeline.build.order import SRPM, STEPS, Step
from pipeline.model import Built, Options, Plan
from pipeline.model.errors import UnpackError, VerifyError
from pipeline.system.disk import guarded, suspecting
from pipeline.system.locks import in_use, locked
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, place_text, remove
from pipeline.toolchain import emulator

_DEFAULT = Options()


def step_dirs(plan: Plan, workspace: Workspace, options: Options = _DEFAULT) -> StepDirs:
    """The folders of a plan's steps."""
    return StepDirs(workspace, keys.of(plan, workspace.root), options)


def advance(plan: Plan, dirs: StepDirs, report: Report, last: str) -> None:
    """Do what is missing up to the step ``last``, and nothing that a later result makes needless.

    A source of the user is always looked at, up to its identity.
    """
    names = [step.name for step in STEPS]
    end = names.index(last)
    first = end
    while first >= 0 and not dirs.done(names[first]).exists():
        first -= 1
    for index, step in enumerate(STEPS[: end + 1]):
        wanted = index > first or (plan.user_source and step.name in ("fetch", "unpack"))
        if wanted or index == end:
            with _distrust(plan, dirs):
                _perform(step, plan, dirs, report)


def package(plan: Plan, workspace: Workspace, report: Report, options: Options = _DEFAULT) -> Built:
    """Make a package, or find that it is there: the file in ``dist/`` and what it was made from."""
    with guarded(), in_use(workspace):
        dirs = step_dirs(plan, workspace, options)
        with locked(workspace.locks, plan.nevra, waiting=lambda: _wait(plan.nevra, report)):
            if plan.user_source:
                advance(plan, dirs, report, "unpack")
            if found := placement.settled(plan, dirs):
                return found
            # It could not be tried in the end: better said before a minute of compiling.
            emulator.runner(plan)
            # Filled in by Python without a lock: ninja's module, asking meanwhile, got half of it.
            sysconfig.get_config_vars()
            threading.Thread(target=import_later_modules, daemon=True).start()
            # The user's source has been looked at, and from here on it is just the tree.
            advance(replace(plan, user_source=None), dirs, report, STEPS[-1].name)
            return placement.publish(plan, dirs)


def import_later_modules() -> None:
    """Import what the later steps need, while the compiler runs or before workers are forked."""
    for module in (
        "jinja2",
        "pipeline.checks",
        "pipeline.inspect",
        "pipeline.artifact.sbom",
        "pipeline.smoke.trials",
    ):
        importlib.import_module(module)


def source_package(
    plan: Plan, workspace: Workspace, report: Report, options: Options = _DEFAULT
) -> Path:
    """Make a source package, and give it its final name."""
    with guarded(), in_use(workspace):
        dirs = step_dirs(plan, workspace, options)
        advance(plan, dirs, report, "unpack")
        _perform(SRPM, plan, dirs, report)
        return placement.publish_source(plan, dirs)


def step(
    plan: Plan, workspace: Workspace, report: Report, last: str, options: Options = _DEFAULT
) -> Path:
    """Do one step and what is missing before it; the answer is the step's folder."""
    with guarded(), in_use(workspace):
        dirs = step_dirs(plan, workspace, options)
        advance(plan, dirs, report, last)
        return dirs.folder(last)


@contextmanager
def _distrust(plan: Plan, dirs: StepDirs) -> Iterator[None]:
    """A source of the user that was refused is fetched anew: its URL may be right the next time."""
    try:
        yield
    except (UnpackError, VerifyError):
        if plan.user_source:
            dirs.done("fetch").unlink(missing_ok=True)
        raise


def _perform(step: Step, plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Run a step in an empty folder, alone; the stamp that it is done comes last."""
    lock = f"{step.name}-{dirs.folder(step.name).name}"
    waiting = partial(_wait, step.name, report)
    with locked(dirs.workspace.locks, lock, inherited=True, waiting=waiting):
        if dirs.done(step.name).exists():
            report.step(step.name, None)
            return
        remove(dirs.folder(step.name))
        dirs.folder(step.name).mkdir(parents=True)
        began = time.monotonic()
        report.begin(step.name)
        with suspecting(dirs.folder(step.name), dirs.workspace.cache):
            step.run(plan, dirs, report)
        place_text("", dirs.done(step.name))
        report.step(step.name, time.monotonic() - began)


def _wait(name: str, report: Report) -> None:
    report.wait(name, "another run is at it")
