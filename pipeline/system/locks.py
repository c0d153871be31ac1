"""Locks on folders that several runs share; the kernel frees them even if a run is killed."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.system.workspace import Workspace

# The lock of a whole checkout, and that of a whole cache, which checkouts share.
CHECKOUT, CACHE = "workspace", "cache"


@contextmanager
def locked(
    folder: Path,
    name: str,
    *,
    shared: bool = False,
    inherited: bool = False,
    waiting: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold the lock ``name`` of a folder, exclusive or shared.

    ``waiting`` is called once if another process holds it. An ``inherited`` lock is also held by
    the programs that we start: if we are killed, the next run waits until the last of them ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with (folder / f"{name}.lock").open("a") as handle:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(handle, kind)
        os.set_inheritable(handle.fileno(), inherited)
        try:
            yield
        finally:
            # Closing the file is not enough if a program that is left over has it open.
            fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def in_use(place: Workspace) -> Iterator[None]:
    """Hold a checkout and its cache, shared with other runs: nobody cleans either meanwhile."""
    with locked(place.locks, CHECKOUT, shared=True), ExitStack() as cache:
        try:
            cache.enter_context(locked(cache_locks(place), CACHE, shared=True))
        except OSError as problem:
            # A cache that we may not write to is for its owner to lock.
            if problem.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
        yield


def cache_locks(place: Workspace) -> Path:
    """The folder of a cache's locks."""
    return place.cache / "locks"
