"""`locks`: which runs wait for each other, and what happens to a lock if its holder is killed."""

import errno
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.system.locks import CACHE, CHECKOUT, cache_locks, in_use, locked
from pipeline.system.workspace import StepDirs, Workspace

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.system.locks import locked
with locked(Path(sys.argv[1]), "name"):
    print("held", flush=True)
    time.sleep(100)
"""

STUBBORN = """
import sys
from pathlib import Path
from pipeline.model.errors import HostError
from pipeline.system import process
from pipeline.system.locks import locked
folder = Path(sys.argv[1])
left = "trap '' TERM; echo started > {0}/started; sleep 1; echo ended > {0}/ended"
with locked(folder, "name", inherited=True):
    command = ["sh", "-c", left.format(folder)]
    process.run(command, log=folder / "log", error=HostError(""))
"""


def _blocked(folder: Path, **how: bool) -> list[str]:
    """The events, in order, when a second thread takes a lock that we hold."""
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
    """The second holder reports that it waits, and continues when the first ends."""
    assert ["waits", "first ends", "second"] == _blocked(tmp_path, first=False, second=False)


def test_shared_lock_excludes_an_exclusive_one(tmp_path: Path) -> None:
    """Cleaning waits for builds."""
    assert ["waits", "first ends", "second"] == _blocked(tmp_path, first=True, second=False)


def test_shared_locks_do_not_exclude_each_other(tmp_path: Path) -> None:
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
    """No lock outlives its process, and no file has to be removed by hand."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], cwd=project, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert b"held\n" == holder.stdout.readline()
        events: list[str] = []

        def kill() -> None:
            events.append("waits")
            holder.send_signal(signal.SIGKILL)

        with locked(tmp_path, "name", waiting=kill):
            events.append("held")

    assert ["waits", "held"] == events


def test_inherited_lock_is_held_until_the_last_program_has_ended(
    tmp_path: Path, project: Path
) -> None:
    """A killed run may leave a program that takes time to end: its step directory stays locked."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN, tmp_path], cwd=project) as holder:
        while not (tmp_path / "started").exists():
            assert holder.poll() is None
            time.sleep(0.01)
        holder.send_signal(signal.SIGKILL)
    assert not (tmp_path / "ended").exists()
    with locked(tmp_path, "name"):
        assert (tmp_path / "ended").exists()


def test_lock_makes_its_folder(make_dirs: Callable[..., StepDirs]) -> None:
    """A new checkout has no folder of locks yet."""
    locks = make_dirs().workspace.locks
    with locked(locks, "name"):
        assert ["name.lock"] == [file.name for file in locks.iterdir()]


# --- a checkout and its cache --------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty checkout and an empty cache."""
    return Workspace(tmp_path / "checkout", tmp_path / "cache")


def _is_held(folder: Path, name: str) -> bool:
    """Whether an exclusive lock would have to wait."""

    def wait() -> None:
        raise InterruptedError

    try:
        with locked(folder, name, waiting=wait):
            return False
    except InterruptedError:
        return True


def test_a_checkout_in_use_locks_its_cache(workspace: Workspace) -> None:
    """Both are shared, and released at the end."""
    with in_use(workspace), in_use(workspace):
        assert _is_held(workspace.locks, CHECKOUT)
        assert _is_held(cache_locks(workspace), CACHE)
    assert not _is_held(workspace.locks, CHECKOUT)
    assert not _is_held(cache_locks(workspace), CACHE)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_cache_that_is_not_writable_is_not_locked(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Its sources can be used without a lock."""
    _refuse(workspace, monkeypatch, code)
    with in_use(workspace):
        assert _is_held(workspace.locks, CHECKOUT)


def test_cache_on_a_full_disk_is_an_error(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other errors of the cache are raised at once."""
    _refuse(workspace, monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match="refused"), in_use(workspace):
        pytest.fail("entered")


def _refuse(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Make the folder of the cache's locks fail with an error."""
    mkdir = Path.mkdir

    def refuse(folder: Path, *args: object, **how: bool) -> None:
        if folder == cache_locks(workspace):
            raise OSError(code, "refused", str(folder))
        mkdir(folder, **how)

    monkeypatch.setattr(Path, "mkdir", refuse)
