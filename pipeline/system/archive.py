"""A tarball, read within bounds: how far it unpacks, and what stands before one member of it."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from pipeline.model.errors import UnpackError

_PACKINGS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}

# Bytes of headers before one member: two paths as long as the system allows, and some to spare.
# tarfile keeps all of them in memory, of whatever size they say that they are.
_HEADERS = 1 << 14


class _Stream:
    """What tarfile reads from: the unpacked bytes, as far as they are allowed."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source, self._limit = source, limit
        self._left: int | None = _HEADERS

    def read(self, size: int) -> bytes:
        """As of a file; of headers only so much."""
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise UnpackError(
                    "the archive holds what no release holds",
                    expected=f"at most {_HEADERS} bytes of headers before a member",
                    got="more",
                    hint="do not trust where it came from",
                )
        self._hold(self.tell() + size)
        return self._source.read(size)

    def seek(self, position: int) -> int:
        """As of a file; tarfile goes where the sizes in headers send it."""
        self._hold(position)
        return self._source.seek(position)

    def tell(self) -> int:
        """As of a file."""
        return self._source.tell()

    def members(self, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """All members; afterwards they may be read."""
        for member in archive:
            yield member
            self._left = _HEADERS
        self._left = None

    def _hold(self, position: int) -> None:
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
    """A tarball, however it is packed, and its members, which must all be seen before any is read.

    Raises UnpackError for more than ``limit`` bytes, and what the standard library raises for a
    broken one.
    """
    with ExitStack() as stack:
        packed = stack.enter_context(file.open("rb"))
        begin = packed.read(6)
        packed.seek(0)
        unpack = next((each for mark, each in _PACKINGS.items() if begin.startswith(mark)), None)
        source = stack.enter_context(unpack(packed)) if unpack else packed
        stream = _Stream(source, limit)
        tar = stack.enter_context(tarfile.open(fileobj=cast(Any, stream), mode="r:"))
        yield tar, stream.members(tar)
