"""A higher release number, with a reason; never a lower one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.bump import pin, scratch, trial_build
from pipeline.bump.request import Request
from pipeline.config import load
from pipeline.model.errors import BumpError, CheckError, RequestError
from pipeline.system.workspace import place
from tests.unit.bump.conftest import OLD

REASON = "Build with another compiler"

RaiseNumber = Callable[..., None]
Status = Callable[[], str]


@pytest.fixture
def raise_number(root: Path, no_builds: None) -> RaiseNumber:
    """Raises the release number of a pinned release, without building it."""

    def run(number: int = 2, reason: str = REASON, version: str = OLD) -> None:
        pin.raise_number(root, Request(version, number=number, reason=reason))

    return run


def test_the_number_rises_with_a_reason(
    root: Path, raise_number: RaiseNumber, status: Status
) -> None:
    """The recipe has one more entry on top, the changelog one more line; nothing else changes."""
    raise_number()

    recipe = load.recipe(root, OLD)
    assert (2, (REASON,)) == (recipe.release, recipe.changelog[0].notes)
    assert [2, 1] == [change.release for change in recipe.changelog]
    changed = (root / "CHANGELOG.md").read_text().split("### Changed\n")[1].split("\n#")[0]
    assert f"- Packages of mimalloc {OLD}, release 2: {REASON}\n" in changed
    assert [" M CHANGELOG.md", f" M recipes/{OLD}.toml"] == status().splitlines()


def test_the_same_again_has_nothing_to_do(
    raise_number: RaiseNumber, status: Status, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same number with the same reason."""
    raise_number()
    text = (root / "recipes" / f"{OLD}.toml").read_text()
    raise_number(reason=f"  {REASON} ")

    assert text == (root / "recipes" / f"{OLD}.toml").read_text()
    assert "nothing to do" in capsys.readouterr().out


def test_a_run_that_ends_before_the_recipe_is_completed_by_the_same_command(
    raise_number: RaiseNumber, status: Status, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe is placed last; the changelog gets its entry once."""

    def stopping(source: Path, target: Path) -> None:
        if target.suffix == ".toml":
            raise KeyboardInterrupt
        place(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(scratch, "place", stopping)
        with pytest.raises(KeyboardInterrupt):
            raise_number()
    assert [" M CHANGELOG.md"] == status().splitlines()
    raise_number()

    assert 2 == load.recipe(root, OLD).release
    assert 1 == (root / "CHANGELOG.md").read_text().count(REASON)


@pytest.mark.parametrize(("number", "reason"), [(2, "Another reason"), (1, REASON), (0, "x")])
def test_it_never_goes_back(
    root: Path, raise_number: RaiseNumber, number: int, reason: str
) -> None:
    """A number is not used twice."""
    raise_number()
    text = (root / "recipes" / f"{OLD}.toml").read_text()
    with pytest.raises(BumpError, match="must rise") as caught:
        raise_number(number, reason)

    assert ("3 or more", str(number)) == (caught.value.expected, caught.value.got)
    assert text == (root / "recipes" / f"{OLD}.toml").read_text()


def test_a_reason_is_required(raise_number: RaiseNumber, status: Status) -> None:
    """Blanks are none; and a release that is not pinned has no release number."""
    with pytest.raises(RequestError, match="--reason"):
        raise_number(reason="  ")
    with pytest.raises(RequestError, match=r"unknown version 2\.2\.5"):
        raise_number(version="2.2.5")
    assert "" == status()


def test_a_package_that_fails_leaves_nothing(
    raise_number: RaiseNumber, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number rises only with packages that have passed."""

    def fail(*_: object) -> None:
        raise CheckError("a finding")

    monkeypatch.setattr(trial_build, "every_package", fail)
    with pytest.raises(CheckError):
        raise_number()
    assert "" == status()
