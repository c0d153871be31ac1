"""`workspace`: the folders of a checkout, and how a file gets its final name."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline.model.errors import WorkspaceError
from pipeline.system.workspace import (
    CACHE_VARIABLE,
    FORMAT,
    StepDirs,
    Workspace,
    locate,
    place,
    place_text,
    remove,
)


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# --- folders -------------------------------------------------------------------------------------


def test_cache_is_below_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the cache is in the user's cache folder."""
    monkeypatch.setenv("HOME", "/home/somebody")
    expected = Workspace(Path("/x"), Path("/home/somebody/.cache/mimalloc-custom", FORMAT))

    assert expected == locate(Path("/x"))


def test_cache_follows_the_desktop_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME moves it; it has a folder of its own there."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")

    assert Path("/caches/mimalloc-custom", FORMAT) == locate(Path("/x")).cache


@pytest.mark.parametrize(
    ("folder", "characters"), [("/a b", "' '"), ("/it's", '"\'"'), ("/5%:x", "'%' ':'")]
)
def test_path_that_the_tools_cannot_take_is_refused(folder: str, characters: str) -> None:
    """The error comes before the build, and names the characters."""
    with pytest.raises(WorkspaceError, match="the checkout's path") as caught:
        locate(Path(folder))

    assert (characters, Path(folder)) == (caught.value.got, caught.value.file)
    assert "another folder" in caught.value.hint


def test_cache_that_the_tools_cannot_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler writes files there, too."""
    monkeypatch.setenv(CACHE_VARIABLE, "/some cache")
    with pytest.raises(WorkspaceError, match="the cache's path"):
        locate(Path("/x"))


def test_cache_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MIMALLOC_CACHE takes precedence, and may be relative or below a home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    caches = []
    for value in ("/mine", "mine", "~/mine"):
        monkeypatch.setenv(CACHE_VARIABLE, value)
        caches.append(locate(Path("/x")).cache)

    folders = (Path("/mine"), tmp_path / "mine", Path("/home/somebody/mine"))
    assert [folder / FORMAT for folder in folders] == caches


@pytest.mark.parametrize("variable", [CACHE_VARIABLE, "XDG_CACHE_HOME"])
def test_missing_home_folder(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """The message names the variable that makes it unnecessary."""
    monkeypatch.setenv(variable, "~no-such-user/cache")
    with pytest.raises(WorkspaceError, match=CACHE_VARIABLE) as caught:
        locate(Path("/x"))

    assert 12 == caught.value.exit_code


def test_locks_are_outside_of_what_is_cleaned(workspace: Workspace) -> None:
    """Cleaning must not remove a lock that a build holds."""
    for folder in (workspace.work.parent, workspace.dist, workspace.cache):
        assert not workspace.locks.is_relative_to(folder)


def test_step_directories_are_named_by_their_keys(workspace: Workspace) -> None:
    """Another key is another directory."""
    dirs = StepDirs(workspace, {"fetch": "a" * 64, "unpack": "b" * 64})

    assert workspace.work / "fetch" / ("a" * 16) == dirs.folder("fetch")
    assert dirs.folder("unpack") / "tree" == dirs.tree
    assert dirs.folder("fetch") / "log" == dirs.log("fetch")


# --- final names ---------------------------------------------------------------------------------


def test_place_gives_a_complete_file(tmp_path: Path) -> None:
    """The file has its content, and no temporary file is left."""
    (tmp_path / "made").write_text("new")
    target = tmp_path / "dist" / "el7" / "name"
    place(tmp_path / "made", target)

    assert "new" == target.read_text()
    assert ["name"] == _names(target.parent)


def test_place_replaces_what_is_there(tmp_path: Path) -> None:
    """An older file with the name is replaced."""
    target = tmp_path / "name"
    target.write_text("old")
    place_text("new", target)

    assert "new" == target.read_text()


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_place_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    """An incomplete copy never gets a name; the same call succeeds later."""

    def copy_half(source: Path, target: Path) -> None:
        target.write_text("ne")
        raise problem

    (tmp_path / "made").write_text("new")
    target = tmp_path / "dist" / "name"
    target.parent.mkdir()
    target.write_text("old")
    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copyfile", copy_half)
        with pytest.raises(type(problem)):
            place(tmp_path / "made", target)

    assert "old" == target.read_text()
    assert ["name"] == _names(target.parent)
    place(tmp_path / "made", target)
    assert "new" == target.read_text()


def test_place_flushes_before_it_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power failure a file with a final name is complete, or does not exist."""
    names: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: names.append(_names(tmp_path)))
    place_text("x", tmp_path / "name")

    assert [[f".name.{os.getpid()}"]] == names


def test_remove_of_any_kind_of_file(tmp_path: Path) -> None:
    """Folders, files and links are removed, but not what a link leads to."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("link", "folder", "file", "nothing"):
        remove(tmp_path / name)

    assert ["target"] == _names(tmp_path)
    assert ["file"] == _names(tmp_path / "target")
