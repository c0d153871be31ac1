"""`locks`: who waits for whom, and what becomes of a lock whose holder is killed."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.system.locks import CACHE, CHECKOUT, alone, cache_locks, in_use, locked
from pipeline.system.workspace import StepDirs, Workspace

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.locks import locked
with locked(Path(sys.argv[1]), "name"):
    print("held", flush=True)
    time.sleep(100)
"""

STUBBORN = """
import sys
from pathlib import Path
from pipeline import process
from pipeline.errors import PackagingError
from pipeline.locks import locked
folder = Path(sys.argv[1])
left = "trap '' TERM; echo started > {0}/started; sleep 1; echo ended > {0}/ended"
with locked(folder, "name", inherited=True):
    command = ["sh", "-c", left.format(folder)]
    process.run(command, log=folder / "log", error=PackagingError, what="")
"""


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


def test_lock_makes_its_folder(folder: Callable[..., StepDirs]) -> None:
    """A fresh checkout has no folder of locks yet."""
    locks = folder().workspace.locks
    with locked(locks, "name"):
        assert ["name.lock"] == [file.name for file in locks.iterdir()]


# --- a checkout and its cache --------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A checkout and a cache in which nothing is yet."""
    return Workspace(tmp_path / "checkout", tmp_path / "cache")


def _is_held(folder: Path, name: str) -> bool:
    """Whether somebody who wants a lock alone would have to wait."""
    told: list[str] = []

    def wait() -> None:
        told.append("waits")
        raise InterruptedError

    try:
        with locked(folder, name, waiting=wait):
            return False
    except InterruptedError:
        return True


def test_who_uses_a_checkout_holds_its_cache(workspace: Workspace) -> None:
    """Both, as one of several, and no longer than it lasts."""
    with in_use(workspace), in_use(workspace):
        assert _is_held(workspace.locks, CHECKOUT)
        assert _is_held(cache_locks(workspace), CACHE)
    assert not _is_held(workspace.locks, CHECKOUT)
    assert not _is_held(cache_locks(workspace), CACHE)


def test_who_is_alone_leaves_the_cache_to_others(workspace: Workspace) -> None:
    """Other checkouts may build meanwhile."""
    with alone(workspace, waiting=pytest.fail):
        assert _is_held(workspace.locks, CHECKOUT)
        assert not _is_held(cache_locks(workspace), CACHE)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_cache_that_is_closed_is_not_held(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Its source can be used all the same."""
    _refuse(workspace, monkeypatch, code)
    with in_use(workspace):
        assert _is_held(workspace.locks, CHECKOUT)


def test_cache_that_is_full_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is wrong with a cache is better said at once."""
    _refuse(workspace, monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match="refused"), in_use(workspace):
        pytest.fail("entered")


def _refuse(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let nothing be made in the folder of the cache's locks."""
    mkdir = Path.mkdir

    def refuse(folder: Path, *args: object, **how: bool) -> None:
        if folder == cache_locks(workspace):
            raise OSError(code, "refused", str(folder))
        mkdir(folder, **how)

    monkeypatch.setattr(Path, "mkdir", refuse)
