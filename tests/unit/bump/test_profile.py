"""`bump.profile`: the profile of a release is made, pinned and placed; or none is, and why."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bump import profile
from pipeline.config import load
from pipeline.model import Options, Plan
from pipeline.model.errors import HostError, RequestError
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace
from tests.unit.bump.conftest import NEW, OLD

Bump = Callable[..., None]

COUNTERS = b"\xff\x00 counters and names"


def _train(plan: Plan, place: Workspace, target: Path, report: Report) -> None:
    assert "plain" == plan.variant
    target.write_bytes(COUNTERS)


def _unable(*_: object) -> None:
    raise HostError("no clang on this host to make a profile with")


def _file(root: Path, version: str) -> Path:
    return root / load.PROFILES / f"{version}.profdata"


def test_a_new_release_gets_its_profile(root: Path, bump: Bump) -> None:
    """Byte for byte, pinned by its checksum in the recipe."""
    bump(train=_train)

    assert COUNTERS == _file(root, NEW).read_bytes()
    assert f"sha256:{sha256_of(_file(root, NEW))}" == load.recipe(root, NEW).profile


def test_where_none_can_be_made_the_release_has_none(
    root: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not that of the release it was drafted from, either; the output has the command for later."""
    bump(train=_unable)

    assert not _file(root, NEW).exists()
    assert "" == load.recipe(root, NEW).profile
    assert f"invoke profile --version {NEW}" in capsys.readouterr().out


def test_a_profile_is_replaced(root: Path) -> None:
    """Nothing of the recipe changes but its checksum; the next command is printed."""
    profile.run(root, OLD, "", Options(offline=True), _train)
    before = load.recipe(root, OLD)
    text = (root / "recipes" / f"{OLD}.toml").read_text()

    def other(plan: Plan, place: Workspace, target: Path, report: Report) -> None:
        target.write_bytes(b"others")

    profile.run(root, OLD, "", Options(offline=True), other)
    after = load.recipe(root, OLD)

    assert b"others" == _file(root, OLD).read_bytes()
    assert f"sha256:{sha256_of(_file(root, OLD))}" == after.profile != before.profile
    assert before == replace(after, profile=before.profile)
    new = (root / "recipes" / f"{OLD}.toml").read_text()
    assert text.replace(before.profile, after.profile) == new


def test_the_old_profile_stays_where_none_can_be_made(
    root: Path, status: Callable[[], str]
) -> None:
    """The error is the host's."""
    with pytest.raises(HostError, match="no clang"):
        profile.run(root, OLD, "", Options(offline=True), _unable)

    assert "" == status()


def test_an_unknown_release_has_no_profile(root: Path) -> None:
    """The releases that are pinned are named."""
    with pytest.raises(RequestError, match="unknown version 9"):
        profile.run(root, "9", "", Options(), _train)


def test_a_draft_with_a_profile_that_is_not_there_has_none(
    root: Path, bump: Bump, tmp_path: Path
) -> None:
    """Such as the recipe of another checkout: its profile did not come with it."""
    draft = tmp_path / "draft.toml"
    text = (root / "recipes" / f"{OLD}.toml").read_text().replace(OLD, NEW)
    assert "\nprofile " in text
    draft.write_text(text)
    bump(draft=str(draft))

    assert "" == load.recipe(root, NEW).profile
