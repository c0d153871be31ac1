"""`bump.pin`: the order of it all, whatever ends it; nothing is built here."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline.bump import pin, state, transaction, trial_build
from pipeline.bump.changes import Change
from pipeline.config import load
from pipeline.model.errors import (
    BumpError,
    CheckError,
    FetchError,
    HostError,
    PackagingError,
    RequestError,
    VerifyError,
)
from pipeline.system.report import Report
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

# What is done, in order, as it is told.
HEADINGS = [
    *("source", "plan", "patches", "file lists", f"comparison with {OLD}"),
    *("packages", "texts", "in place"),
]

# A changelog, a README, manifests for two dists and two flavors, a recipe.
FILES = 7

Bump = Callable[..., None]
Status = Callable[[], str]


def test_a_release_is_pinned(house: Path, bump: Bump, capsys: pytest.CaptureFixture[str]) -> None:
    """Recipe, manifests, README and CHANGELOG are there, and say what the source says."""
    bump()

    assert [] == [piece.name for piece in state.pieces(house, NEW) if not piece.there]
    recipe = load.recipe(house, NEW)
    assert ("v2", "libmimalloc.so.2", "libmimalloc.so.2.2") == (
        recipe.line,
        recipe.soname,
        recipe.library,
    )
    assert (229, f"{upstream.WHEN}") == (recipe.mi_version, recipe.released.isoformat())
    assert ("Package mimalloc 2.2.9",) == recipe.changelog[0].notes
    former = load.recipe(house, OLD)
    assert former.cmake == recipe.cmake
    assert former.source[0].url.replace(OLD, NEW) == recipe.source[0].url
    assert "# Off, so that the oldest processor" in (house / f"recipes/{NEW}.toml").read_text()
    told = capsys.readouterr().out
    assert "packed as upstream's tarball is" in told
    assert HEADINGS == [line for line in told.splitlines() if line in HEADINGS]


def test_a_second_run_has_nothing_to_do(
    house: Path, bump: Bump, status: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the source at hand, and without."""
    bump()
    before = status()
    bump()
    bump(source="")

    assert before == status()
    assert 2 == capsys.readouterr().out.count("nothing to do\n")


def _snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_rehearsal_touches_nothing(
    house: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even a lock or the work folder; the plan is shown."""
    before = _snapshot(house)
    bump(rehearse=True)

    assert before == _snapshot(house)
    told = capsys.readouterr().out
    assert '+ version    = "2.2.9"' in told
    assert "nothing was touched" in told


@pytest.mark.parametrize("heading", HEADINGS)
def test_killed_at_any_step_the_tree_is_as_before(
    house: Path, bump: Bump, repository: Path, status: Status, heading: str
) -> None:
    """SIGKILL as each step begins; and the next run pins the release all the same."""

    class Deadly(Report):
        def begin(self, name: str) -> None:
            if name == heading:
                os.kill(os.getpid(), signal.SIGKILL)

    order = pin.Order(NEW, source=str(repository), offline=True)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=pin.run, args=(house, order, Deadly()))
    child.start()
    child.join()

    assert -signal.SIGKILL == child.exitcode
    assert "" == status()
    bump()
    assert [] == [piece.name for piece in state.pieces(house, NEW) if not piece.there]


@pytest.mark.parametrize("count", [0, 1, 4, FILES])
def test_killed_while_files_are_placed_the_next_run_puts_them_back(
    house: Path, bump: Bump, repository: Path, status: Status, count: int
) -> None:
    """Whatever the next run is for, and also where it fails; the watcher was killed, too."""

    def work() -> None:
        transaction._watched = nullcontext  # type: ignore[assignment]
        seen, move = 0, transaction._move

        def counted(source: Path, target: Path) -> None:
            nonlocal seen
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
            move(source, target)
            if seen == count == FILES:
                os.kill(os.getpid(), signal.SIGKILL)

        transaction._move = counted
        bump()

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()

    assert -signal.SIGKILL == child.exitcode
    assert transaction.unfinished(house)
    assert count == len(status().splitlines())
    with pytest.raises(FetchError):
        bump("2.2.99")
    assert "" == status()


@pytest.mark.parametrize("failing", ["lists", "everything"])
def test_a_failure_leaves_nothing(
    house: Path, bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """What is said shows where the recipe can be corrected, and with which command to go on."""

    def fail(*_: object) -> None:
        raise CheckError("not fit to leave")

    monkeypatch.setattr(trial_build, failing, fail)
    with pytest.raises(CheckError) as caught:
        bump()

    assert "" == status()
    draft = house / "work" / "v1" / "bump" / NEW / f"{NEW}.toml"
    assert f"--draft {draft}" in caught.value.hint
    assert draft.is_file()


def test_what_no_recipe_can_put_right_keeps_its_hint(
    bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is missing on this host is not the draft's fault."""

    def fail(*_: object) -> None:
        raise HostError("no emulator", hint="invoke doctor")

    monkeypatch.setattr(trial_build, "everything", fail)
    with pytest.raises(HostError) as caught:
        bump()

    assert "invoke doctor" == caught.value.hint
    assert "" == status()


def test_a_draft_is_begun_with(house: Path, bump: Bump, tmp_path: Path) -> None:
    """Options and comments are those of the draft, facts those of the source."""
    draft = tmp_path / "draft.toml"
    text = (house / "recipes" / f"{OLD}.toml").read_text()
    draft.write_text(text.replace('MI_OPT_ARCH = "OFF"', 'MI_NEW = "ON"    # because'))
    bump(written=str(draft))

    written = (house / "recipes" / f"{NEW}.toml").read_text()
    assert 'MI_NEW = "ON"    # because' in written
    assert "mi_version = 229" in written


def test_a_change_stops_it_until_it_is_accepted(
    house: Path, bump: Bump, status: Status, found: list[Change]
) -> None:
    """By name; another name does not help."""
    found.append(Change("files", "+ include/new.h"))
    found.append(Change("cmake", "3.18 before, 3.30 now"))
    for accepted in ((), ("cmake",), ("files", "licence")):
        with pytest.raises(BumpError) as caught:
            bump(accept=frozenset(accepted))
        assert "" == status()
    assert "--accept files,licence,cmake" in caught.value.hint
    bump(accept=frozenset(("files", "cmake")))

    assert state.is_pinned(house, NEW)


def test_a_checkout_that_changes_meanwhile_is_left_alone(
    house: Path, bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's edit during the builds is neither lost nor mixed with ours."""
    readme = house / "README.md"

    def edit(*_: object) -> None:
        readme.write_text(f"{readme.read_text()}mine\n")

    monkeypatch.setattr(trial_build, "everything", edit)
    with pytest.raises(BumpError, match="has changed while"):
        bump()

    assert " M README.md\n" == status()


# --- hostile sources -----------------------------------------------------------------------------


def _refused(bump: Bump, kind: type[PackagingError], status: Status, **order: object) -> str:
    before = status()
    with pytest.raises(kind) as caught:
        bump(**order)
    assert before == status()
    return str(caught.value)


def test_a_tag_that_moved_is_refused(bump: Bump, repository: Path, status: Status) -> None:
    """The same version with another tree: not without two flags."""
    bump()
    upstream.tag(repository, f"v{NEW}", upstream.tree(NEW, **{"src/alloc.c": "int evil;\n"}))

    assert "the tag of mimalloc 2.2.9 has moved" in _refused(bump, BumpError, status)
    assert "tag:" in _refused(bump, BumpError, status, force=True)
    bump(force=True, accept=frozenset({"tag"}))


def test_a_tag_that_moved_to_the_same_tree_is_told(
    bump: Bump, repository: Path, status: Status
) -> None:
    """Upstream's tarball has another checksum, though what a build reads is the same."""
    bump()
    upstream.tag(repository, f"v{NEW}", {"docs/index.html": "<p>other\n"})

    assert "the same tree, but another archive" in _refused(bump, BumpError, status)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("include/mimalloc.h", "#define MI_MALLOC_VERSION 228\n"),
        ("include/mimalloc.h", "no version\n"),
        ("cmake/mimalloc-config-version.cmake", "set(mi_version_major 2)\n"),
        ("CMakeLists.txt", upstream.CMAKE.replace("${mi_version_major}", "3")),
        ("CMakeLists.txt", "project(libmimalloc)\n"),
    ],
)
def test_a_source_that_disagrees_with_its_tag_is_refused(
    bump: Bump, repository: Path, status: Status, file: str, text: str
) -> None:
    """The header, the file that cmake installs, and the library's numbers are held against it."""
    upstream.tag(repository, f"v{NEW}", {file: text})

    assert f"calls itself something else, in {Path(file).name}" in _refused(
        bump, VerifyError, status
    )


def test_a_repository_without_the_tag_is_refused(bump: Bump, status: Status) -> None:
    """It is the tag that is asked for, not what is checked out."""
    assert "no tag v2.2.8" in _refused(bump, FetchError, status, version="2.2.8")


def test_a_folder_is_refused(bump: Bump, tmp_path: Path, status: Status) -> None:
    """It has no checksum that a recipe could pin."""
    from tests.unit import release

    (tmp_path / "folder").mkdir()
    folder = release.unfold(tmp_path / "folder", upstream.tree(NEW))

    assert "no checksum" in _refused(bump, RequestError, status, source=str(folder))


@pytest.mark.parametrize("version", ["2", "two", "../2.2.9", "2.2.9;rm", ""])
def test_what_is_no_release_is_refused(bump: Bump, status: Status, version: str) -> None:
    """Before anything is done."""
    _refused(bump, RequestError, status, version=version)


def test_a_recipe_that_is_there_is_not_overwritten(house: Path, bump: Bump, status: Status) -> None:
    """Also where a piece of it is missing; with --force it is written anew, and stays itself."""
    bump()
    recipe, manifest = house / f"recipes/{NEW}.toml", house / f"recipes/manifests/{NEW}.el8.txt"
    text = recipe.read_text().replace("Package mimalloc 2.2.9", "My own words")
    recipe.write_text(text)
    bump()
    manifest.unlink()

    assert f"missing {NEW}.el8.txt" in _refused(bump, BumpError, status)
    assert text == recipe.read_text()
    bump(force=True)
    assert manifest.is_file()
    assert re.search(r'notes   = \["My own words"\]', recipe.read_text())
