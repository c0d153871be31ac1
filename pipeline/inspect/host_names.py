"""Words of the building host in a package: in its files, their names, its header."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.inspect.payload import entries

# A name is not found inside a longer one: `box` in `toolbox` or `box-2` is somebody else.
_BEFORE, _AFTER = rb"(?<![A-Za-z0-9_-])", rb"(?![A-Za-z0-9_-])"


def search(
    needles: Collection[str], tags: Mapping[str, str], folder: Path
) -> tuple[tuple[str, str], ...]:
    """Where the needles occur, as (place, word).

    A needle with a slash is a path and is found anywhere; any other is a name, such as that of a
    host or a user, and is found as a whole word. Places are ``header <TAG>``, ``name of <path>``
    and the installed path of a file. ``folder`` holds the unpacked files.
    """
    patterns = {needle: _pattern(needle) for needle in sorted(needles) if needle}
    if not patterns:
        return ()
    found = []
    for tag, value in tags.items():
        found += _in(f"header {tag}", value.encode(), patterns)
    for path, file in entries(folder):
        found += _in(f"name of {path}", path.encode(errors="surrogateescape"), patterns)
        if file.is_file() and not file.is_symlink():
            found += _in(path, file.read_bytes(), patterns)
    return tuple(found)


def _in(
    place: str, content: bytes, patterns: Mapping[str, re.Pattern[bytes]]
) -> list[tuple[str, str]]:
    return [(place, word) for word, pattern in patterns.items() if pattern.search(content)]


def _pattern(needle: str) -> re.Pattern[bytes]:
    exact = re.escape(needle.encode())
    return re.compile(exact if "/" in needle else _BEFORE + exact + _AFTER)
