"""Read a tarball within limits: on its unpacked size, and on the headers before a member."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from pipeline.model.errors import UnpackError

# The functions that open a compressed file, by its first bytes.
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}

# Bytes of headers before one member: two paths of the largest length, and some to spare. tarfile
# keeps all of them in memory, whatever size they declare.
_HEADERS = 1 << 14


class _LimitedFile:
    """The unpacked bytes as a file for tarfile, up to a limit."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source, self._limit = source, limit
        # Bytes of headers that may still be read; None once the members are read.
        self._headers: int | None = _HEADERS

    def read(self, size: int) -> bytes:
        """Read like a file. Raises UnpackError beyond the limits."""
        if self._headers is not None:
            self._headers -= size
            if self._headers < 0:
                raise UnpackError(
                    "the archive is not that of a release",
                    expected=f"at most {_HEADERS} bytes of headers before a member",
                    got="more",
                    hint="do not trust where it came from",
                )
        self._check(self.tell() + size)
        return self._source.read(size)

    def seek(self, position: int) -> int:
        """Seek like a file, to where the sizes in headers lead."""
        self._check(position)
        return self._source.seek(position)

    def tell(self) -> int:
        """The position in the unpacked bytes."""
        return self._source.tell()

    def members(self, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """All members; afterwards they may be read."""
        for member in archive:
            yield member
            self._headers = _HEADERS
        self._headers = None

    def _check(self, position: int) -> None:
        if position < 0:
            raise tarfile.ReadError("a member's size is below zero")
        if position > self._limit + _HEADERS:
            raise UnpackError(
                "the archive is too large",
                expected=f"at most {self._limit} bytes with all headers",
                got="more",
            )


@contextmanager
def opened(file: Path, limit: int) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """A tarball, compressed or not, and its members, which must be listed before any is read.

    Raises UnpackError for more than ``limit`` bytes, and errors of the standard library for a
    malformed archive.
    """
    with ExitStack() as files:
        archive = files.enter_context(file.open("rb"))
        start = archive.read(6)
        archive.seek(0)
        openers = [opener for magic, opener in _OPENERS.items() if start.startswith(magic)]
        source = files.enter_context(openers[0](archive)) if openers else archive
        limited = _LimitedFile(source, limit)
        tar = files.enter_context(tarfile.open(fileobj=cast(Any, limited), mode="r:"))
        yield tar, limited.members(tar)
