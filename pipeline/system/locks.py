"""Who may touch which folder now: locks that the kernel frees, whoever is killed."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.system.workspace import Workspace

# The lock of a whole checkout, and that of a whole cache, which checkouts share.
CHECKOUT, CACHE = "workspace", "cache"

# What a folder says that is not ours to write to.
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def locked(
    folder: Path,
    name: str,
    *,
    shared: bool = False,
    inherited: bool = False,
    waiting: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold the lock ``name`` of a folder, alone or shared; the kernel frees it at our end.

    ``waiting`` is called once, where somebody else holds it and we have to wait. Programs that we
    start hold a lock that is ``inherited`` with us: where we are killed, the next one waits until
    the last of them has ended, too.
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
            # Ours to give back, though a program that is left over may have it open.
            fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def in_use(place: Workspace) -> Iterator[None]:
    """Hold a checkout and its cache as one of several: nobody cleans either meanwhile."""
    with locked(place.locks, CHECKOUT, shared=True), ExitStack() as held:
        try:
            held.enter_context(locked(cache_locks(place), CACHE, shared=True))
        except OSError as problem:
            # A cache that we may not write to is for its owner to hold.
            if problem.errno not in _CLOSED:
                raise
        yield


@contextmanager
def alone(place: Workspace, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a checkout alone: nobody builds, signs or publishes in it meanwhile."""
    with locked(place.locks, CHECKOUT, waiting=waiting):
        yield


def cache_locks(place: Workspace) -> Path:
    """The folder of the locks of a cache."""
    return place.cache / "locks"
