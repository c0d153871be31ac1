"""What the file system refuses, as an error that says where, and what to do."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.model.errors import PackagingError, WorkspaceError
from pipeline.system.workspace import CACHE_VARIABLE

# Bytes below which a step that fails has most likely failed for want of room.
SCANT = 16 << 20

# What the file system refuses, what that means to the user, and the way out.
_FULL = ("no room left to write", "free some space, then run the same command again")
_CLOSED = (
    "not allowed to read or write",
    f"make it writable, or set {CACHE_VARIABLE} where it is the cache",
)
_ODD = (
    "a file or folder is not what it should be",
    f"move it out of the way, or set {CACHE_VARIABLE} where it is the cache",
)
_GONE = ("a file has gone that was there before", "invoke clean, then the same command again")
_REFUSALS = {
    errno.ENOENT: _GONE,
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _CLOSED),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP), _ODD),
}


@contextmanager
def guarded() -> Iterator[None]:
    """Turn what the file system refuses into an error that says where, and what to do."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _REFUSALS:
            raise
        what, hint = _REFUSALS[problem.errno]
        raise WorkspaceError(
            what,
            got=problem.strerror or "",
            file=problem.filename or "the work, cache or dist folder",
            hint=hint,
        ) from problem


@contextmanager
def suspecting(*folders: Path) -> Iterator[None]:
    """Where a step fails and the disk is all but full, say so: few compilers do."""
    try:
        yield
    except PackagingError as problem:
        for folder in folders:
            if folder.is_dir() and (free := shutil.disk_usage(folder).free) < SCANT:
                raise WorkspaceError(
                    f"no room left to write, and so: {problem.what}",
                    got=f"{free >> 10} KiB free",
                    file=folder,
                    detail=problem.detail,
                    hint=_FULL[1],
                ) from problem
        raise
