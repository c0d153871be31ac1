"""The code that a module runs: its own file, and those of this project that it imports."""

import re
from functools import cache
from pathlib import Path

from pipeline.system.checksum import digest, sha256_of

ROOT = Path(__file__).resolve().parents[2]

# `import a.b`, or `from a.b import c, d`; anywhere in a file, also inside functions. Python's own
# parser finds the same, as a unit test holds, and takes twenty times as long.
_IMPORT = re.compile(
    r"^ *(?:from (pipeline[\w.]*) import (\([^)]*\)|.*)|import (pipeline[\w.]*))", re.MULTILINE
)


@cache
def digest_of(module: str) -> str:
    """One digest, 64 hex digits, of all the code that a module runs."""
    return digest(sorted(_sha256_of(file) for file in files(module)))


def files(module: str) -> frozenset[Path]:
    """The files of a module and of all that it imports, at its top or inside functions."""
    sources: set[Path] = set()
    waiting = set(_files_of(module))
    while waiting:
        file = waiting.pop()
        sources.add(file)
        waiting |= _imported_by(file) - sources
    return frozenset(sources)


@cache
def _imported_by(file: Path) -> frozenset[Path]:
    names = set()
    for package, members, module in _IMPORT.findall(file.read_text(encoding="utf-8")):
        names |= {package or module, *(f"{package}.{name}" for name in re.findall(r"\w+", members))}
    return frozenset().union(*map(_files_of, names))


@cache
def _files_of(name: str) -> frozenset[Path]:
    """The files of a module and of its packages; of a name inside a module, those of packages."""
    path = Path(*name.split("."))
    inits = [package / "__init__.py" for package in (path, *path.parents)]
    return frozenset(
        ROOT / file for file in (path.with_suffix(".py"), *inits) if (ROOT / file).is_file()
    )


_sha256_of = cache(sha256_of)
