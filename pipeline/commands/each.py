"""Every plan in turn, going on after a failure; and what the user reads where one has failed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pipeline.artifact import placement
from pipeline.model import PLAIN, Plan
from pipeline.model.errors import PackagingError, RequestError
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


def run(plans: Sequence[Plan], act: Callable[[Plan], None], report: Report, done: str) -> None:
    """Act on every plan, going on after a failure; the first failure is raised in the end.

    ``done`` says in the message what the others are.
    """
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
        fail(failures, len(plans), done)


def fail(failures: Sequence[tuple[Plan, PackagingError]], count: int, done: str) -> NoReturn:
    """Raise with the first failure's exit code; the messages themselves stand above."""
    raise type(failures[0][1])(
        f"{len(failures)} of {count} failed, {count - len(failures)} {done}",
        detail="\n".join(f"{plan.nevra}: {problem.what}" for plan, problem in failures),
    )


def built_package(plan: Plan, workspace: Workspace) -> Path:
    """The package in ``dist/``. Raises RequestError where there is none."""
    rpm = placement.destination(plan, workspace)
    if not rpm.exists():
        raise RequestError("there is no such package yet", file=rpm, hint=build_command(plan))
    return rpm


def build_command(plan: Plan) -> str:
    """The command that makes a package."""
    words = ["invoke build", f"--version {plan.recipe.version}", f"--dist {plan.root.dist}"]
    words += [f"--arch {plan.arch}", *([f"--flavor {plan.variant}"] * (plan.variant != PLAIN))]
    return " ".join(words)
