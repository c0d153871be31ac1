"""Do something for many plans, one after the other; report which have failed."""

from collections.abc import Callable, Mapping, Sequence

from pipeline.model import Plan
from pipeline.model.errors import PackagingError
from pipeline.system.report import Report


def run(plans: Sequence[Plan], action: Callable[[Plan], None], report: Report, done: str) -> None:
    """Do the action for every plan; the first failure is raised in the end.

    ``done`` is the word for a success in the message.
    """
    failures: list[tuple[Plan, PackagingError]] = []
    for plan in plans:
        report.line(plan.nevra)
        try:
            action(plan)
        except PackagingError as problem:
            if len(plans) == 1:
                raise
            failures.append((plan, problem))
            report.line(str(problem))
    check(failures, len(plans), done)


def check(
    failures: Sequence[tuple[Plan, PackagingError]],
    count: int,
    done: str,
    results: Mapping[str, object] | None = None,
) -> None:
    """If there are failures, raise an error that lists all, with the first one's exit code.

    The only one of all is raised as it is. ``results`` are for ``--json``.
    """
    if not failures:
        return
    problem = failures[0][1]
    if count > 1:
        problem = type(problem)(
            f"{len(failures)} of {count} failed, {count - len(failures)} {done}",
            detail="\n".join(f"{plan.nevra}: {problem.what}" for plan, problem in failures),
        )
    problem.results = results or {}
    raise problem
