"""`bump.rise`: a higher release number, with a reason; never a lower one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.bump import commands, trial_build
from pipeline.config import load
from pipeline.model.errors import BumpError, CheckError, RequestError
from tests.unit.bump.conftest import OLD

REASON = "Build with another compiler"

Rise = Callable[..., None]
Status = Callable[[], str]


@pytest.fixture
def rise(house: Path, canned: None) -> Rise:
    """Raises the release number of a pinned release, without building it."""

    def run(number: int = 2, reason: str = REASON, version: str = OLD) -> None:
        commands.raise_release(house, version, number, reason, source="", offline=True, jobs=0)

    return run


def test_the_number_rises_with_a_reason(house: Path, rise: Rise, status: Status) -> None:
    """The recipe has one more entry on top, the changelog one more line; nothing else changes."""
    rise()

    recipe = load.recipe(house, OLD)
    assert (2, (REASON,)) == (recipe.release, recipe.changelog[0].notes)
    assert [2, 1] == [change.release for change in recipe.changelog]
    log = (house / "CHANGELOG.md").read_text()
    assert f"### Changed\n\n- Packages of mimalloc {OLD}, release 2: {REASON}\n" in log
    assert [" M CHANGELOG.md", f" M recipes/{OLD}.toml"] == status().splitlines()


def test_the_same_again_has_nothing_to_do(
    rise: Rise, status: Status, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same number with the same reason."""
    rise()
    text = (house / "recipes" / f"{OLD}.toml").read_text()
    rise(reason=f"  {REASON} ")

    assert text == (house / "recipes" / f"{OLD}.toml").read_text()
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "reason"), [(2, "Another reason"), (1, REASON), (0, "x")])
def test_it_never_goes_back(house: Path, rise: Rise, number: int, reason: str) -> None:
    """A number that is taken is not given again."""
    rise()
    text = (house / "recipes" / f"{OLD}.toml").read_text()
    with pytest.raises(BumpError, match="must rise") as caught:
        rise(number, reason)

    assert ("3 or more", str(number)) == (caught.value.expected, caught.value.got)
    assert text == (house / "recipes" / f"{OLD}.toml").read_text()


def test_a_reason_is_asked_for(rise: Rise, status: Status) -> None:
    """Blanks are none; and what is not pinned has no release number."""
    with pytest.raises(RequestError, match="--reason"):
        rise(reason="  ")
    with pytest.raises(RequestError, match=r"unknown version 2\.2\.5"):
        rise(version="2.2.5")
    assert "" == status()


def test_a_package_that_fails_leaves_nothing(
    rise: Rise, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number rises only with packages that have passed."""

    def fail(*_: object) -> None:
        raise CheckError("not fit to leave")

    monkeypatch.setattr(trial_build, "everything", fail)
    with pytest.raises(CheckError):
        rise()
    assert "" == status()
