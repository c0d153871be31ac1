"""`workspace`: where files live, how one gets its final name, who may touch them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import WorkspaceError
from pipeline.workspace import (
    CACHE_VARIABLE,
    FORMAT,
    Site,
    Workspace,
    locate,
    locked,
    place,
    place_text,
    remove,
)

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.workspace import locked
with locked(Path(sys.argv[1]), "name"):
    print("held", flush=True)
    time.sleep(100)
"""

STUBBORN = """
import sys
from pathlib import Path
from pipeline import process
from pipeline.errors import PackagingError
from pipeline.workspace import locked
folder = Path(sys.argv[1])
left = "trap '' TERM; echo started > {0}/started; sleep 1; echo ended > {0}/ended"
with locked(folder, "name", inherited=True):
    command = ["sh", "-c", left.format(folder)]
    process.run(command, log=folder / "log", error=PackagingError, what="")
"""


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# --- places --------------------------------------------------------------------------------------


def test_cache_is_below_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word from the user the cache is where caches are."""
    monkeypatch.setenv("HOME", "/home/somebody")
    expected = Workspace(Path("/x"), Path("/home/somebody/.cache/mimalloc-custom", FORMAT))

    assert expected == locate(Path("/x"))


def test_cache_follows_the_desktop_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME moves it, in a folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")

    assert Path("/caches/mimalloc-custom", FORMAT) == locate(Path("/x")).cache


@pytest.mark.parametrize(
    ("folder", "odd"), [("/a b", "' '"), ("/it's", '"\'"'), ("/5%:x", "'%' ':'")]
)
def test_path_that_the_tools_cannot_take_is_refused(folder: str, odd: str) -> None:
    """Better at once, and by name, than in the middle of a build with a riddle."""
    with pytest.raises(WorkspaceError, match="the checkout's path") as caught:
        locate(Path(folder))

    assert (odd, Path(folder)) == (caught.value.got, caught.value.file)
    assert "another folder" in caught.value.hint


def test_cache_that_the_tools_cannot_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler keeps files there, too."""
    monkeypatch.setenv(CACHE_VARIABLE, "/some cache")
    with pytest.raises(WorkspaceError, match="the cache's path"):
        locate(Path("/x"))


def test_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MIMALLOC_CACHE comes before the rest, and may be relative or below a home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    found = []
    for chosen in ("/mine", "mine", "~/mine"):
        monkeypatch.setenv(CACHE_VARIABLE, chosen)
        found.append(locate(Path("/x")).cache)

    places = (Path("/mine"), tmp_path / "mine", Path("/home/somebody/mine"))
    assert [place / FORMAT for place in places] == found


@pytest.mark.parametrize("variable", [CACHE_VARIABLE, "XDG_CACHE_HOME"])
def test_home_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Where no home folder is known, the message names the variable that does without."""
    monkeypatch.setenv(variable, "~no-such-user/cache")
    with pytest.raises(WorkspaceError, match=CACHE_VARIABLE) as caught:
        locate(Path("/x"))

    assert 12 == caught.value.exit_code


def test_locks_are_outside_of_what_is_cleaned(workspace: Workspace) -> None:
    """Cleaning must not pull a lock from under a build."""
    for folder in (workspace.work.parent, workspace.dist, workspace.cache):
        assert not workspace.locks.is_relative_to(folder)


def test_rooms_are_named_by_their_keys(workspace: Workspace) -> None:
    """Another key is another room."""
    site = Site(workspace, {"fetch": "a" * 64, "unpack": "b" * 64})

    assert workspace.work / "fetch" / ("a" * 16) == site.room("fetch")
    assert site.room("unpack") / "tree" == site.tree
    assert site.room("fetch") / "log" == site.log("fetch")


# --- final names ---------------------------------------------------------------------------------


def test_place_gives_a_complete_file(tmp_path: Path) -> None:
    """The file is there with its content, and nothing beside it."""
    (tmp_path / "made").write_text("new")
    target = tmp_path / "dist" / "el7" / "name"
    place(tmp_path / "made", target)

    assert "new" == target.read_text()
    assert ["name"] == _names(target.parent)


def test_place_replaces_what_is_there(tmp_path: Path) -> None:
    """An older file of the name gives way."""
    target = tmp_path / "name"
    target.write_text("old")
    place_text("new", target)

    assert "new" == target.read_text()


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_place_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    """A copy that ends midway is seen under no name; the same call works once the cause is gone."""

    def half_a_copy(source: Path, target: Path) -> None:
        target.write_text("ne")
        raise problem

    (tmp_path / "made").write_text("new")
    target = tmp_path / "dist" / "name"
    target.parent.mkdir()
    target.write_text("old")
    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copyfile", half_a_copy)
        with pytest.raises(type(problem)):
            place(tmp_path / "made", target)

    assert "old" == target.read_text()
    assert ["name"] == _names(target.parent)
    place(tmp_path / "made", target)
    assert "new" == target.read_text()


def test_place_writes_through_before_it_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a final name has its whole content, or is not there."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(_names(tmp_path)))
    place_text("x", tmp_path / "name")

    assert [[f".name.{os.getpid()}"]] == seen


def test_remove_takes_what_there_is(tmp_path: Path) -> None:
    """Folders, files and links go; what a link leads to stays; nothing is fine too."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("link", "folder", "file", "nothing"):
        remove(tmp_path / name)

    assert ["kept"] == _names(tmp_path)
    assert ["file"] == _names(tmp_path / "kept")


# --- locks ---------------------------------------------------------------------------------------


def _blocked(folder: Path, **how: bool) -> list[str]:
    """What happens, in order, to a second one who wants the lock that we hold."""
    events: list[str] = []
    waits = threading.Event()

    def wait() -> None:
        events.append("waits")
        waits.set()

    def second() -> None:
        with locked(folder, "name", shared=how["second"], waiting=wait):
            events.append("second")
            waits.set()

    with locked(folder, "name", shared=how["first"]):
        thread = threading.Thread(target=second)
        thread.start()
        waits.wait(5)
        events.append("first ends")
    thread.join()
    return events


def test_lock_excludes(tmp_path: Path) -> None:
    """The second one is told that it waits, and goes on when the first has ended."""
    assert ["waits", "first ends", "second"] == _blocked(tmp_path, first=False, second=False)


def test_shared_lock_excludes_the_one_who_wants_it_alone(tmp_path: Path) -> None:
    """Cleaning waits for builds."""
    assert ["waits", "first ends", "second"] == _blocked(tmp_path, first=True, second=False)


def test_shared_lock_lets_others_in(tmp_path: Path) -> None:
    """Builds do not wait for each other."""
    assert ["second", "first ends"] == _blocked(tmp_path, first=True, second=True)


def test_locks_of_other_names_are_free(tmp_path: Path) -> None:
    """Two packages can be built at once."""
    waits: list[str] = []
    with (
        locked(tmp_path, "one", waiting=lambda: waits.append("one")),
        locked(tmp_path, "two", waiting=lambda: waits.append("two")),
    ):
        assert [] == waits


def test_lock_is_free_when_its_holder_is_killed(tmp_path: Path, project: Path) -> None:
    """No lock outlives its process, and nobody has to remove a file by hand."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], cwd=project, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert b"held\n" == holder.stdout.readline()
        told: list[str] = []

        def kill() -> None:
            told.append("waits")
            holder.send_signal(signal.SIGKILL)

        with locked(tmp_path, "name", waiting=kill):
            told.append("held")

    assert ["waits", "held"] == told


def test_inherited_lock_is_held_until_the_last_program_has_ended(
    tmp_path: Path, project: Path
) -> None:
    """Who is killed may leave a program that takes its time: nobody enters its room before."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN, tmp_path], cwd=project) as holder:
        while not (tmp_path / "started").exists():
            assert holder.poll() is None
            time.sleep(0.01)
        holder.send_signal(signal.SIGKILL)
    assert not (tmp_path / "ended").exists()
    with locked(tmp_path, "name"):
        assert (tmp_path / "ended").exists()


def test_lock_makes_its_folder(room: Callable[..., Site]) -> None:
    """A fresh checkout has no folder of locks yet."""
    locks = room().workspace.locks
    with locked(locks, "name"):
        assert ["name.lock"] == _names(locks)
