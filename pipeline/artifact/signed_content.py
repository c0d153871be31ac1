"""The part of an RPM file that its signature covers; it stays the same when the file is signed."""

from pathlib import Path

from pipeline.model.errors import CheckError

# The lead, then headers: a magic number, four bytes, the number of entries, the bytes of their
# values. Source: rpm's documentation of the package format, version 4.
_LEAD = 96
_MAGIC = b"\x8e\xad\xe8\x01"
_INTRO, _ENTRY, _PADDING = 16, 16, 8


def read(rpm: Path) -> bytes:
    """The header and the payload of an RPM file, without its signatures.

    Raises CheckError if the file does not begin as an RPM does.
    """
    content = rpm.read_bytes()
    intro = content[_LEAD : _LEAD + _INTRO]
    if intro[: len(_MAGIC)] != _MAGIC or len(intro) < _INTRO:
        raise CheckError(f"{rpm.name} is not an RPM of version 3 or 4", file=rpm)
    entries, size = (int.from_bytes(intro[at : at + 4]) for at in (8, 12))
    end = _LEAD + _INTRO + entries * _ENTRY + size
    return content[end + -end % _PADDING :]
