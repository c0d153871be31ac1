"""`bump.patches`: which patches a release needs, told by the trial that each is there for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.bump import trial_build
from pipeline.config import load
from pipeline.model import Plan, Trial
from pipeline.model.errors import BumpError
from pipeline.smoke import trials
from tests.unit import release
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

NAME = "0001-change.patch"

Bump = Callable[..., None]


@pytest.fixture
def patched(house: Path) -> Path:
    """The checkout, whose nearest release has a patch."""
    file = house / "patches" / OLD / NAME
    file.parent.mkdir()
    file.write_text(release.CHANGE)
    _pin(house, 'test   = "aligned"\n')
    return house


def _pin(house: Path, test: str) -> None:
    """Give the nearest release's recipe the patch, with this line about its test."""
    recipe = house / "recipes" / f"{OLD}.toml"
    text = re.sub(r"\[\[patch\]\].*?(?=\[\[)", "", recipe.read_text(), flags=re.DOTALL)
    table = f'[[patch]]\nfile   = "{NAME}"\nsha256 = "{"0" * 64}"\nwhy    = "a fault"\n{test}\n'
    recipe.write_text(text.replace("[[changelog]]", f"{table}[[changelog]]", 1))


@pytest.fixture
def stands(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether the release stands the trial without the patch."""

    def say(passed: bool) -> None:
        def ran(plan: Plan, *_: object) -> tuple[Trial, ...]:
            assert () == plan.recipe.patch
            return (Trial("aligned", passed, ""), Trial("archive", True, ""))

        monkeypatch.setattr(trial_build, "without_patches", ran)

    return say


def test_a_patch_that_is_needed_is_carried(
    patched: Path, bump: Bump, stands: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is copied, pinned, and said to be needed."""
    stands(False)
    bump()

    (patch,) = load.recipe(patched, NEW).patch
    assert release.CHANGE == load.patch_file(patched, load.recipe(patched, NEW), patch).read_text()
    assert "carried: the release does not stand the trial `aligned`" in capsys.readouterr().out


def test_a_patch_whose_fault_is_gone_is_dropped(
    patched: Path, bump: Bump, stands: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """And it says so: to the maintainer, and to users in the changelog."""
    stands(True)
    bump()

    assert () == load.recipe(patched, NEW).patch
    assert not (patched / "patches" / NEW).exists()
    assert f"{NAME} dropped: the release stands the trial" in capsys.readouterr().out
    assert f"- Packages of mimalloc {NEW}; without {NAME}" in (patched / "CHANGELOG.md").read_text()


def _move(repository: Path) -> None:
    """Upstream has changed the lines that the patch is about."""
    changed = release.ALLOC.replace("line_9", "other_9").replace("line_12", "other_12")
    upstream.tag(repository, f"v{NEW}", {"src/alloc.c": changed})


def test_a_patch_that_is_needed_and_does_not_apply_stops_it(
    patched: Path, repository: Path, bump: Bump, stands: Callable[[bool], None]
) -> None:
    """No fuzz helps; one that is written anew in its place is taken."""
    stands(False)
    _move(repository)
    with pytest.raises(BumpError, match="the release still needs it") as caught:
        bump()
    assert f"patches/{NEW}/" in caught.value.hint
    assert not (patched / "recipes" / f"{NEW}.toml").exists()

    file = patched / "patches" / NEW / NAME
    file.parent.mkdir()
    anew = release.CHANGE.replace("line_9", "other_9").replace("line_12", "other_12")
    file.write_text(anew)
    bump()
    assert 1 == len(load.recipe(patched, NEW).patch)
    assert anew == file.read_text()


def test_a_patch_that_is_not_needed_need_not_apply(
    patched: Path, repository: Path, bump: Bump, stands: Callable[[bool], None]
) -> None:
    """Upstream has corrected it in its own way."""
    stands(True)
    _move(repository)
    bump()

    assert () == load.recipe(patched, NEW).patch


def test_a_patch_without_a_trial_is_carried(
    patched: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """As long as it applies; nothing can tell whether it is needed."""
    _pin(patched, "")
    bump()

    assert 1 == len(load.recipe(patched, NEW).patch)
    assert "it names no trial" in capsys.readouterr().out


def test_a_trial_that_does_not_exist_is_an_error(
    patched: Path, bump: Bump, stands: Callable[[bool], None]
) -> None:
    """A slip of the pen would carry the patch for ever."""
    stands(True)
    _pin(patched, 'test   = "alinged"\n')

    with pytest.raises(BumpError, match="no trial is called alinged"):
        bump()


def test_the_patches_of_the_project_name_trials_that_exist(project: Path) -> None:
    """What `bump` runs to find out whether they are needed."""
    every = [p for v in load.versions(project) for p in load.recipe(project, v).patch]

    assert every
    assert {patch.test for patch in every} <= set(trials.NAMES)


def test_a_manifest_has_words_for_the_build_id() -> None:
    """Of all else it has the paths as they are."""
    lines = ["/usr/lib/.build-id", "/usr/lib/.build-id/ab", "/usr/lib/.build-id/ab/cdef", "/opt/ab"]

    assert (
        "/usr/lib/.build-id",
        "/usr/lib/.build-id/{build_id[:2]}",
        "/usr/lib/.build-id/{build_id[:2]}/{build_id[2:]}",
        "/opt/ab",
    ) == trial_build.manifest(lines, "abcdef")
