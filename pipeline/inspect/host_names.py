"""Paths and names of the build host in a package: in its files, their names, its header."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.inspect.payload import entries

# A part of a longer name does not count: `box` in `toolbox` or `box-2`.
_BEFORE, _AFTER = rb"(?<![A-Za-z0-9_-])", rb"(?![A-Za-z0-9_-])"


def search(
    names: Collection[str], tags: Mapping[str, str], folder: Path
) -> tuple[tuple[str, str], ...]:
    """The places where names occur, as (place, name).

    A name with a slash is a path and matches anywhere; another one matches as a whole word. Places
    are ``header <TAG>``, ``name of <path>`` and the installed path of a file. ``folder`` has the
    unpacked files.
    """
    contents = [(f"header {tag}", value.encode()) for tag, value in tags.items()]
    for path, file in entries(folder) if names else ():
        contents.append((f"name of {path}", path.encode(errors="surrogateescape")))
        if file.is_file() and not file.is_symlink():
            contents.append((path, file.read_bytes()))
    patterns = {name: _pattern(name) for name in sorted(names) if name}
    return tuple(
        (place, name)
        for place, content in contents
        for name, pattern in patterns.items()
        if pattern.search(content)
    )


def _pattern(name: str) -> re.Pattern[bytes]:
    exact = re.escape(name.encode())
    return re.compile(exact if "/" in name else _BEFORE + exact + _AFTER)
