"""A release in a scratch checkout: the logs of its checks, its smoke tests, and another release."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.bump import trial_build
from pipeline.bump.scratch import ScratchCheckout, scratch_checkout
from pipeline.commands import build
from pipeline.inspect import payload
from pipeline.model import Options, Plan, Trial
from pipeline.model.errors import CheckError, SmokeError, StageError
from pipeline.smoke import suite, trials
from pipeline.system import workspace
from tests.unit.bump.conftest import OLD


@pytest.fixture
def scratch(root: Path) -> Iterator[ScratchCheckout]:
    """The scratch checkout of a pinned release, for two packages at once."""
    with scratch_checkout(workspace.locate(root), OLD, "", Options(jobs=2)) as scratch:
        yield scratch


def test_the_logs_of_all_checks_so_far_are_read(scratch: ScratchCheckout) -> None:
    """Packages whose check has not run have none."""
    assert [] == trial_build.check_logs(scratch)
    log = make.step_dirs(scratch.plans()[-1], scratch.workspace).log("check")
    log.parent.mkdir(parents=True)
    log.write_bytes(b"aligned: \xff\n")

    assert ["aligned: \ufffd\n"] == trial_build.check_logs(scratch)


def test_the_trials_without_patches_are_run_once(
    scratch: ScratchCheckout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the release's files, options, or our code change: then its folder is another one."""
    results = [(Trial("forks", False, "hung 1"), Trial("aligned", True, ""))]
    unpacked: list[Path] = []
    monkeypatch.setattr(trial_build, "run_step", lambda *_: None)
    monkeypatch.setattr(payload, "unpack", lambda _, folder: unpacked.append(folder))
    monkeypatch.setattr(trials, "run", lambda *_: results.pop())

    passed = {"forks": False, "aligned": True}
    assert [passed, passed] == [trial_build.without_patches(scratch) for _ in range(2)]
    dirs = make.step_dirs(trial_build.samples(scratch.plans())[0], scratch.workspace)
    assert [dirs.folder("check")] == unpacked


def test_a_package_that_fails_its_smoke_test_is_named(
    scratch: ScratchCheckout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each runs in a process of its own; the others are tried all the same."""
    bad, *good = scratch.plans()

    def smoke(plan: Plan, *_: object) -> None:
        if plan == bad:
            raise SmokeError("1 of 4 programs do not run as they should")

    monkeypatch.setattr(build, "many", lambda *_: {})
    monkeypatch.setattr(suite, "run", smoke)

    with pytest.raises(SmokeError) as caught:
        trial_build.every_package(scratch)

    assert f"{bad.nevra}: 1 of 4 programs do not run as they should" in caught.value.detail
    output = capsys.readouterr().out
    assert good
    for plan in good:
        assert str(suite.log_of(plan, scratch.workspace)) in output


def test_one_package_of_each_flavor_is_checked_before_the_others(
    scratch: ScratchCheckout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the release is a finding after seconds, and not one of each package."""
    asked: list[Sequence[Plan]] = []

    def many(place: object, plans: Sequence[Plan], last: str, *_: object) -> None:
        assert build.BUILD == last
        asked.append(plans)
        raise CheckError("0002 does not mend it any more")

    monkeypatch.setattr(build, "many", many)

    with pytest.raises(CheckError, match="mend"):
        trial_build.every_package(scratch)
    assert [trial_build.samples(scratch.plans())] == asked


def test_what_is_built_first_has_the_oldest_c_library_of_what_runs_here(
    scratch: ScratchCheckout,
) -> None:
    """One package of each flavor, whatever the order of dists and machines."""
    plans = scratch.plans()

    chosen = trial_build.samples(reversed(plans))

    assert {"plain", "secure"} == {plan.variant for plan in chosen}
    assert {("el7", platform.machine())} == {(plan.root.dist, plan.arch) for plan in chosen}
    elsewhere = [plan for plan in plans if plan.arch != platform.machine()]
    assert {"el7"} == {plan.root.dist for plan in trial_build.samples(elsewhere)}


def test_another_release_is_staged_from_the_first_place_that_has_it(
    scratch: ScratchCheckout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason why it cannot be is printed."""
    failures = [StageError("no such file")]
    staged: list[Plan] = []

    def many(place: object, plans: Sequence[Plan], last: str, *_: object) -> None:
        assert "stage" == last
        staged.extend(plans)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(build, "many", many)
    folder = str(scratch.root)
    file = trial_build.staged_other(OLD, scratch, folder)

    assert [True, False] == [bool(plan.user_source) for plan in staged]
    assert file == trial_build.library(staged[-1], scratch)

    failures += [StageError("none"), StageError("nor there")]
    assert trial_build.staged_other(OLD, scratch, folder) is None
    assert f"mimalloc {OLD} cannot be built for comparison: none" in capsys.readouterr().out
