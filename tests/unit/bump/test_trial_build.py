"""A release in a scratch checkout: the logs of its checks, its smoke tests, and another release."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.bump import trial_build
from pipeline.bump.scratch import ScratchCheckout, scratch_checkout
from pipeline.commands import build
from pipeline.inspect import payload
from pipeline.model import Options, Plan, Trial
from pipeline.model.errors import SmokeError, StageError
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


def test_another_release_is_staged_for_the_oldest_and_the_newest_c_library(
    scratch: ScratchCheckout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each dist whatever the order of their files; and none where it cannot be built."""
    staged: list[Plan] = []

    def many(place: object, plans: Sequence[Plan], last: str, *_: object) -> None:
        assert "stage" == last
        staged.extend(plans)

    newest = (scratch.root / "buildroot" / "el8.toml").read_text()
    for old, new in {'dist = "el8"': 'dist = "el10"', 'glibc = "2.28"': 'glibc = "2.39"'}.items():
        assert old in newest
        newest = newest.replace(old, new)
    (scratch.root / "buildroot" / "el10.toml").write_text(newest)
    monkeypatch.setattr(build, "many", many)

    plans = trial_build.stage_other(OLD, scratch, "")

    assert plans == staged
    assert ["el7", "el10"] == [plan.root.dist for plan in plans]

    def fail(*_: object) -> None:
        raise StageError("no such file")

    monkeypatch.setattr(build, "many", fail)
    assert [] == trial_build.stage_other(OLD, scratch, "")
