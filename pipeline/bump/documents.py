"""What README and CHANGELOG say of a release."""

import re
from collections.abc import Sequence
from pathlib import Path

from packaging.version import InvalidVersion, Version

from pipeline.model import Recipe
from pipeline.model.errors import BumpError

README, CHANGELOG = Path("README.md"), Path("CHANGELOG.md")

# What an entry about packages of a version begins with.
PACKAGES = "Packages of mimalloc"

_TABLE = "## Releases"
_UNRELEASED = "## Unreleased"

# What the README calls the sources that are not upstream's own.
_NAMES = {"sdist": "Python source distribution", "debian": "Debian's source package"}


def with_row(text: str, recipe: Recipe, changed: str) -> str:
    """A README whose table of releases has this one; ``changed`` is what we change in it.

    Raises BumpError where there is no such table.
    """
    lines = text.splitlines()
    first, last = _rows(lines)
    others = [line for line in lines[first:last] if _version(line) != recipe.version]
    table = sorted([*others, _row(recipe, changed)], key=lambda line: Version(_version(line)))
    return "\n".join([*lines[:first], *table, *lines[last:]]) + "\n"


def has_row(text: str, recipe: Recipe) -> bool:
    """Whether a README's table of releases tells of this one, with its library."""
    lines = text.splitlines()
    first, last = _rows(lines)
    return any(_cells(line)[:2] == [recipe.version, recipe.soname] for line in lines[first:last])


def changed(text: str, version: str) -> str:
    """What a README says that we change in a release; empty where it does not know it."""
    lines = text.splitlines()
    first, last = _rows(lines)
    return next((_cells(line)[-1] for line in lines[first:last] if _version(line) == version), "")


def with_entry(text: str, kind: str, entry: str) -> str:
    """A changelog with one more entry under its unreleased changes of a kind, such as Added.

    Raises BumpError where it has no unreleased changes.
    """
    before, mark, after = text.partition(f"{_UNRELEASED}\n")
    if not mark:
        raise BumpError(f"no heading {_UNRELEASED!r}", file=CHANGELOG, hint="write it there")
    body, following, rest = _cut(after, r"(?m)^## ")
    opening, heading, section = _cut(body, rf"(?m)^### {kind}\n")
    if not heading:
        opening, section = f"{body.rstrip()}\n\n" if body.strip() else "\n", ""
        heading = f"### {kind}\n"
    entries, next_heading, others = _cut(section, r"(?m)^### ")
    entries = (
        f"\n{entries.strip()}\n{entry}\n".replace("\n\n", "\n")
        if entries.strip()
        else f"\n{entry}\n"
    )
    tail = f"\n{next_heading}{others}" if next_heading else "\n" if following else ""
    return f"{before}{mark}{opening}{heading}{entries}{tail}{following}{rest}"


def announces(text: str, version: str) -> bool:
    """Whether an entry of a changelog is about packages of this version."""
    words = (" ".join(entry.split()) for entry in re.split(r"(?m)^- ", text))
    ours = re.compile(rf"{PACKAGES} [^;:]*(?<![\w.]){re.escape(version)}(?!\.?\w)")
    return any(ours.match(entry) for entry in words)


def _cut(text: str, pattern: str) -> tuple[str, str, str]:
    """What is before the first match, the match, what is after it."""
    found = re.search(pattern, text)
    if not found:
        return text, "", ""
    return text[: found.start()], found[0], text[found.end() :]


def _rows(lines: Sequence[str]) -> tuple[int, int]:
    """Where the rows of the table of releases begin and end."""
    try:
        start = lines.index(_TABLE)
        first = next(i for i in range(start, len(lines)) if lines[i].startswith("| ---")) + 1
    except (ValueError, StopIteration) as problem:
        raise BumpError(f"no table below {_TABLE!r}", file=README, hint="restore it") from problem
    last = first
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    return first, last


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def _version(line: str) -> str:
    name = _cells(line)[0]
    try:
        Version(name)
    except InvalidVersion as problem:
        raise BumpError(
            f"a row of the table of releases begins with no version: {name!r}", file=README
        ) from problem
    return name


def _row(recipe: Recipe, changed: str) -> str:
    places = ", ".join(_NAMES[s.kind] for s in recipe.source if s.kind in _NAMES)
    cells = (recipe.version, recipe.soname, places, changed)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)
