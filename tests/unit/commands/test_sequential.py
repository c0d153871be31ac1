"""Many plans, one after the other."""

from dataclasses import replace

import pytest

from pipeline.commands import sequential
from pipeline.model import Plan
from pipeline.model.errors import PackagingError, PatchError
from pipeline.system.report import Report


def test_a_failure_does_not_stop_the_others(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown at once; in the end all failures are raised with the first one's exit code."""
    plans = [replace(plan, arch=arch) for arch in ("x86_64", "s390x", "ppc64le")]

    def action(plan: Plan) -> None:
        if plan.arch != "s390x":
            raise PatchError(f"no luck on {plan.arch}")

    with pytest.raises(PatchError) as caught:
        sequential.run(plans, action, Report(), "good")

    first, second, third = (plan.nevra for plan in plans)
    assert [
        first, "patch: no luck on x86_64", second, third, "patch: no luck on ppc64le",
    ] == capsys.readouterr().out.splitlines()  # fmt: skip
    assert "2 of 3 failed, 1 good" == caught.value.what
    assert f"{first}: no luck on x86_64\n{third}: no luck on ppc64le" == caught.value.detail


def test_a_single_failure_is_raised_as_it_is(plan: Plan) -> None:
    """It needs no summary."""
    problem = PatchError("no luck")

    def action(plan: Plan) -> None:
        raise problem

    with pytest.raises(PackagingError) as caught:
        sequential.run([plan], action, Report(), "good")

    assert problem is caught.value
