"""Read a tarball: its members must be harmless, and within limits on sizes and on headers."""

import bz2
import gzip
import lzma
import posixpath
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from pipeline.model import Limits
from pipeline.model.errors import UnpackError

# The functions that open a compressed file, by its first bytes.
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}

# Bytes of headers before one member: two paths of the largest length, and some to spare. tarfile
# keeps all of them in memory, whatever size they declare.
_HEADERS = 1 << 14


class _LimitedFile:
    """The unpacked bytes as a file for tarfile, up to a limit."""

    def __init__(self, source: IO[bytes], limits: Limits) -> None:
        self._source, self.limits = source, limits
        # Bytes of headers that may still be read; None once the members are read.
        self.headers: int | None = _HEADERS

    def read(self, size: int) -> bytes:
        """Read like a file. Raises UnpackError beyond the limits."""
        if self.headers is not None:
            self.headers -= size
            if self.headers < 0:
                raise _too_large(f"at most {_HEADERS} bytes of headers before a member")
        self._check(self.tell() + size)
        return self._source.read(size)

    def seek(self, position: int) -> int:
        """Seek like a file, to where the sizes in headers lead."""
        self._check(position)
        return self._source.seek(position)

    def tell(self) -> int:
        """The position in the unpacked bytes."""
        return self._source.tell()

    def _check(self, position: int) -> None:
        if position < 0:
            raise tarfile.ReadError("a member's size is below zero")
        if position > self.limits.unpacked + _HEADERS:
            raise _too_large(f"at most {self.limits.unpacked} bytes with all headers")


@contextmanager
def opened(file: Path, limits: Limits) -> Iterator[tuple[tarfile.TarFile, list[tarfile.TarInfo]]]:
    """A tarball, compressed or not, and its members, also those that are not used.

    Raises UnpackError where one is harmful or beyond the limits, and errors of the standard library
    for a malformed archive.
    """
    with ExitStack() as files:
        archive = files.enter_context(file.open("rb"))
        start = archive.peek(6)
        openers = [opener for magic, opener in _OPENERS.items() if start.startswith(magic)]
        source = files.enter_context(openers[0](archive)) if openers else archive
        limited = _LimitedFile(source, limits)
        tar = files.enter_context(tarfile.open(fileobj=cast(Any, limited), mode="r:"))
        members = list(_checked(tar, limited))
        limited.headers = None
        yield tar, members


def _checked(tar: tarfile.TarFile, limited: _LimitedFile) -> Iterator[tarfile.TarInfo]:
    size, paths, limits = 0, set(), limited.limits
    for count, member in enumerate(tar, 1):
        size += member.size
        if size > limits.unpacked or count > limits.entries:
            raise _too_large(
                f"at most {limits.unpacked} bytes in {limits.entries} entries",
                got=f"{size} bytes or more in {count} entries or more",
            )
        path = PurePosixPath(member.name)
        reason = _harm(member, path)
        if member.isreg() and path in paths:
            reason = "the same path twice"
        if reason:
            raise hostile(member, reason)
        paths.add(path)
        yield member
        limited.headers = _HEADERS


def _harm(member: tarfile.TarInfo, path: PurePosixPath) -> str:
    """Why a member is harmful, if it is; tarfile's own filters are missing in Python 3.11.2."""
    if path.is_absolute() or ".." in path.parts:
        return "a path outside of the archive's folder"
    if member.issym() or member.islnk():
        # A symbolic link starts at its own folder, a hard link at the archive's.
        start = str(path.parent) if member.issym() else "."
        target = posixpath.normpath(posixpath.join(start, member.linkname))
        if target.startswith(("/", "..")):
            return f"a link to {member.linkname!r}, outside of the archive's folder"
    elif not (member.isreg() or member.isdir()):
        return "neither a file nor a folder nor a link"
    return ""


def _too_large(expected: str, got: str = "more") -> UnpackError:
    return UnpackError("the archive is too large", expected=expected, got=got)


def hostile(member: tarfile.TarInfo, reason: str) -> UnpackError:
    """The error for an archive with such a member."""
    return UnpackError(
        f"the archive holds what no release holds: {member.name!r}",
        got=reason,
        hint="do not trust the place that it came from",
    )
