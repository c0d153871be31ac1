"""Errors of the file system as messages with the file and a hint."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.model.errors import PackagingError, WorkspaceError
from pipeline.system.workspace import CACHE_VARIABLE

# Free bytes below which a step that fails has most likely failed because the disk is full.
NEARLY_FULL = 16 << 20

# The errors, each with what it means to the user and a hint.
_FULL = ("no space left to write", "free some space, then run the same command again")
_FORBIDDEN = (
    "not allowed to read or write",
    f"make it writable, or set {CACHE_VARIABLE} where it is the cache",
)
_WRONG_KIND = (
    "a file or folder is not what it should be",
    f"move it out of the way, or set {CACHE_VARIABLE} where it is the cache",
)
_MISSING = ("a file is missing that existed before", "invoke clean, then the same command again")
_REFUSALS = {
    errno.ENOENT: _MISSING,
    errno.ENAMETOOLONG: ("a path is too long for the file system", "name a shorter one"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _FORBIDDEN),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP), _WRONG_KIND),
}


def usage(folder: Path) -> int:
    """The bytes that a folder takes on disk; a file with several names counts once."""
    files: dict[tuple[int, int], int] = {}
    for file in folder.rglob("*"):
        with suppress(OSError):  # gone meanwhile
            status = file.lstat()
            files[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(files.values())


@contextmanager
def guarded(*folders: Path) -> Iterator[None]:
    """Turn errors of the file system into a WorkspaceError with the file and a hint.

    If something else fails while the disk of one of ``folders`` is nearly full, say so: few
    compilers do.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno not in _REFUSALS:
            raise
        what, hint = _REFUSALS[problem.errno]
        reason, file = problem.strerror or "", problem.filename or "the work, cache or dist folder"
        raise WorkspaceError(what, got=reason, file=file, hint=hint) from problem
    except PackagingError as problem:
        for folder in folders:
            if folder.is_dir() and (free := shutil.disk_usage(folder).free) < NEARLY_FULL:
                raise WorkspaceError(
                    f"{_FULL[0]}, therefore: {problem.what}",
                    got=f"{free >> 10} KiB free",
                    file=folder,
                    detail=problem.detail,
                    hint=_FULL[1],
                ) from problem
        raise
