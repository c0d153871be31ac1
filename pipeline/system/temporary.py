"""Temporary folders, which ``invoke clean`` finds where the run that made one was killed."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "mimalloc-tmp-"

# Seconds that a folder may take from when it is made until it is locked.
_YOUNG = 60


@contextmanager
def temporary(purpose: str) -> Iterator[Path]:
    """A folder outside of the checkout for as long as the block lasts; its name has the purpose."""
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{purpose}-") as name:
        handle = os.open(name, os.O_RDONLY)
        try:
            # The kernel frees it, however this process ends.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(handle)


def abandoned() -> list[Path]:
    """The folders of this user's runs that were killed."""
    folders = Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*")
    return sorted(filter(_is_abandoned, folders))


def _is_abandoned(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # no folder, or another user's
        return False
    try:
        status = os.fstat(handle)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return status.st_uid == os.geteuid() and status.st_mtime < time.time() - _YOUNG
