"""Pin a release: the order of it all, and whatever ends it; nothing is built here."""

import multiprocessing
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.bump import scratch, trial_build
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
from pipeline.system.workspace import place
from tests.unit import release
from tests.unit.bump import upstream
from tests.unit.bump.conftest import NEW, OLD

# What is done, in order, as it is printed.
HEADINGS = [
    *("source", "plan", "patches", "file lists", f"comparison with {OLD}"),
    *("packages", "documents", "in place"),
]

# What a bump places, in order.
FILES = [
    *("CHANGELOG.md", "README.md"),
    *(f"recipes/manifests/{NEW}{flavor}.txt" for flavor in (".secure", "")),
    f"recipes/options/{NEW}.txt",
    f"recipes/{NEW}.toml",
]

Bump = Callable[..., None]
Status = Callable[[], str]


def _is_complete(root: Path) -> bool:
    """Whether all is in place, and once."""
    log, readme = (root / "CHANGELOG.md").read_text(), (root / "README.md").read_text()
    entries, rows = log.count(f"- Packages of mimalloc {NEW}."), readme.count(f"| {NEW} |")
    return (1, 1) == (entries, rows) and all((root / name).is_file() for name in FILES)


def _killed(work: Callable[[], None]) -> bool:
    """Run this in a process of its own; whether SIGKILL has ended that."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    return child.exitcode == -signal.SIGKILL


def test_a_release_is_pinned(root: Path, bump: Bump, capsys: pytest.CaptureFixture[str]) -> None:
    """Recipe, manifests, README and CHANGELOG are there, with the facts of the source."""
    bump()

    assert _is_complete(root)
    recipe = load.recipe(root, NEW)
    assert ("v2", "libmimalloc.so.2", "libmimalloc.so.2.2") == (
        recipe.line,
        recipe.soname,
        recipe.library,
    )
    assert (229, f"{upstream.WHEN}") == (recipe.mi_version, recipe.released.isoformat())
    assert ("Package mimalloc 2.2.9",) == recipe.changelog[0].notes
    former = load.recipe(root, OLD)
    assert former.cmake == recipe.cmake
    assert former.source[0].url.replace(OLD, NEW) == recipe.source[0].url
    assert "# Off, so that the oldest processor" in (root / f"recipes/{NEW}.toml").read_text()
    output = capsys.readouterr().out
    assert HEADINGS == [line for line in output.splitlines() if line in HEADINGS]


def test_a_second_run_has_nothing_to_do(
    root: Path, bump: Bump, status: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --source, and without."""
    bump()
    before = status()
    bump()
    bump(source="")

    assert before == status()
    assert 2 == capsys.readouterr().out.count("nothing to do\n")


def _snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_dry_run_writes_nothing(
    root: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even a lock or the work folder; the plan is shown."""
    before = _snapshot(root)
    bump(dry_run=True)

    assert before == _snapshot(root)
    output = capsys.readouterr().out
    assert '+ version    = "2.2.9"' in output
    assert "to accept" not in output
    assert "nothing was written; to do it:\ninvoke bump --version 2.2.9 --source " in output


def test_a_dry_run_predicts_what_must_be_accepted(
    bump: Bump, repository: Path, status: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last line does it, once the files are accepted that only a build shows."""
    cmake = upstream.CMAKE.replace("3.18", "3.30")
    files = {"LICENSE": "All rights reserved\n", "CMakeLists.txt": cmake}
    upstream.tag(repository, f"v{NEW}", upstream.tree(NEW, **files))
    bump(dry_run=True)
    output = capsys.readouterr().out

    assert "  to accept   licence: license_text of package.toml" in output
    assert f"  to accept   cmake: 3.18 or newer for {OLD}, 3.30 or newer now\n" in output
    assert output.endswith(" --accept licence,cmake --offline\n")
    with pytest.raises(BumpError, match="not accepted: licence, cmake"):
        bump()
    assert "\npatches\n" not in capsys.readouterr().out
    assert "" == status()
    bump(accept="licence,cmake")


def test_the_release_of_a_draft_is_what_it_is_compared_with(
    root: Path, bump: Bump, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the draft is the one that the last run has written."""
    bump(draft=str(root / "recipes" / "2.4.1.toml"))
    shutil.rmtree(root / "work" / "v1" / "bump" / NEW / "checkout")
    for name in FILES[2:]:
        (root / name).unlink()
    bump(draft=str(root / "work" / "v1" / "bump" / NEW / f"{NEW}.toml"))

    output = capsys.readouterr().out
    assert 2 == output.count("comparison with 2.4.1\n")
    assert "# Made from" not in (root / "recipes" / f"{NEW}.toml").read_text()


@pytest.mark.parametrize("heading", HEADINGS)
def test_killed_before_the_end_the_checkout_is_unchanged(
    root: Path, bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch, heading: str
) -> None:
    """SIGKILL as each part begins; the next run pins the release."""

    class Killing(Report):
        def line(self, text: str) -> None:
            if text == heading:
                os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        monkeypatch.setattr(scratch, "Report", Killing)
        bump()

    assert _killed(work)
    assert "" == status()
    bump()
    assert _is_complete(root)


@pytest.mark.parametrize("count", range(len(FILES)))
def test_killed_while_files_are_placed_the_same_command_completes_it(
    root: Path, bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Before the n-th file: each is whole or not there, and the release is not pinned yet."""

    def work() -> None:
        placed: list[Path] = []

        def counted(source: Path, target: Path) -> None:
            if len(placed) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            place(source, target)
            placed.append(target)

        monkeypatch.setattr(scratch, "place", counted)
        bump()

    assert _killed(work)
    assert sorted(FILES[:count]) == sorted(line[3:] for line in status().splitlines())
    assert NEW not in load.versions(root)
    bump()
    assert _is_complete(root)
    assert sorted(FILES) == sorted(line[3:] for line in status().splitlines())


@pytest.mark.parametrize("failing", ["write_manifests", "every_package"])
def test_a_failure_leaves_nothing(
    root: Path,
    repository: Path,
    bump: Bump,
    status: Status,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    """The message has the file to correct, and the command to try next."""

    def fail(*_: object) -> None:
        raise CheckError("a finding")

    monkeypatch.setattr(trial_build, failing, fail)
    with pytest.raises(CheckError) as caught:
        bump()

    assert "" == status()
    draft = root / "work" / "v1" / "bump" / NEW / f"{NEW}.toml"
    assert f"invoke bump --version {NEW} --source {repository} --draft {draft} --offline" in (
        caught.value.hint
    )
    assert draft.is_file()


def test_conformance_is_compared(
    bump: Bump, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the check of a package fails because of it."""

    def fail(*_: object) -> None:
        raise CheckError("a finding")

    log = "conformance: zero-size: preloaded: calls 9 violations 2\n"
    monkeypatch.setattr(trial_build, "check_logs", lambda _: [log])
    every_package = trial_build.every_package
    monkeypatch.setattr(trial_build, "every_package", fail)
    with pytest.raises(CheckError):
        bump()
    monkeypatch.setattr(trial_build, "every_package", every_package)
    bump()

    line = f"  conformance, {OLD} -> {NEW}: newly violated: zero-size; correct with a patch"
    assert 2 == capsys.readouterr().out.count(line)


def test_an_error_that_no_recipe_resolves_keeps_its_hint(
    bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is missing on this host is not the draft's fault."""

    def fail(*_: object) -> None:
        raise HostError("no emulator", hint="invoke doctor")

    monkeypatch.setattr(trial_build, "every_package", fail)
    with pytest.raises(HostError) as caught:
        bump()

    assert "invoke doctor" == caught.value.hint
    assert "" == status()


def test_a_draft_is_the_start_of_the_recipe(root: Path, bump: Bump, tmp_path: Path) -> None:
    """Options and comments are those of the draft, facts those of the source."""
    draft = tmp_path / "draft.toml"
    text = (root / "recipes" / f"{OLD}.toml").read_text()
    draft.write_text(text.replace('MI_OPT_ARCH = "OFF"', 'MI_NEW = "ON"    # because'))
    bump(draft=str(draft))

    written = (root / "recipes" / f"{NEW}.toml").read_text()
    assert 'MI_NEW = "ON"    # because' in written
    assert "mi_version = 229" in written


def test_a_change_stops_it_until_it_is_accepted(
    root: Path, bump: Bump, status: Status, differences: list[Change]
) -> None:
    """By name; another name does not help."""
    differences.append(Change("files", "+ include/new.h"))
    differences.append(Change("cmake", "3.18 before, 3.30 now"))
    for accepted in ("", "cmake", "files,licence"):
        with pytest.raises(BumpError) as caught:
            bump(accept=accepted)
        assert "" == status()
    assert "--offline --accept files,licence,cmake\n" in caught.value.hint
    bump(accept="files,cmake")

    assert _is_complete(root)


def test_a_checkout_that_changes_during_the_bump_is_not_written(
    root: Path, bump: Bump, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit by somebody else is neither lost nor mixed with ours."""
    readme = root / "README.md"

    def edit(*_: object) -> None:
        readme.write_text(f"{readme.read_text()}mine\n")

    monkeypatch.setattr(trial_build, "every_package", edit)
    with pytest.raises(BumpError, match="has changed during"):
        bump()

    assert " M README.md\n" == status()


# --- hostile sources -----------------------------------------------------------------------------


def _refused(bump: Bump, kind: type[PackagingError], status: Status, **flags: object) -> str:
    before = status()
    with pytest.raises(kind) as caught:
        bump(**flags)
    assert before == status()
    return str(caught.value)


def test_a_tag_that_moved_is_refused(bump: Bump, repository: Path, status: Status) -> None:
    """The same version with another tree: not without two flags."""
    bump()
    upstream.tag(repository, f"v{NEW}", upstream.tree(NEW, **{"src/alloc.c": "int evil;\n"}))

    assert "the tag of mimalloc 2.2.9 has moved" in _refused(bump, BumpError, status)
    assert "tag:" in _refused(bump, BumpError, status, force=True)
    bump(force=True, accept="tag")


def test_a_tag_that_moved_to_the_same_tree_is_refused(
    bump: Bump, repository: Path, status: Status
) -> None:
    """Upstream's tarball has another checksum, though the files of a build are the same."""
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
    """The header, the file that cmake installs, and the library's numbers state the version."""
    upstream.tag(repository, f"v{NEW}", {file: text})

    assert f"has another version in {Path(file).name}" in _refused(bump, VerifyError, status)


def test_a_repository_without_the_tag_is_refused(bump: Bump, status: Status) -> None:
    """The tag counts, not what is checked out."""
    assert "no tag v2.2.8" in _refused(bump, FetchError, status, version="2.2.8")


def test_a_folder_is_refused(bump: Bump, tmp_path: Path, status: Status) -> None:
    """It has no checksum that a recipe could pin."""
    (tmp_path / "folder").mkdir()
    folder = release.unfold(tmp_path / "folder", upstream.tree(NEW))

    assert "no checksum" in _refused(bump, RequestError, status, source=str(folder))


@pytest.mark.parametrize("version", ["2", "two", "../2.2.9", "2.2.9;rm", ""])
def test_what_is_no_release_is_refused(bump: Bump, status: Status, version: str) -> None:
    """Before anything is done."""
    _refused(bump, RequestError, status, version=version)


def test_a_pinned_recipe_is_not_overwritten(root: Path, bump: Bump) -> None:
    """With --force it is written anew with its manifests, and keeps its own text."""
    bump()
    recipe, manifest = root / f"recipes/{NEW}.toml", root / f"recipes/manifests/{NEW}.txt"
    text = recipe.read_text().replace("Package mimalloc 2.2.9", "My own words")
    recipe.write_text(text)
    bump()
    assert text == recipe.read_text()

    manifest.unlink()
    bump(force=True)
    assert manifest.is_file()
    assert re.search(r'notes   = \["My own words"\]', recipe.read_text())
