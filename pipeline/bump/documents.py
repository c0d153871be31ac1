"""What README and CHANGELOG say of a release."""

import re
from pathlib import Path

from packaging.version import Version

from pipeline.model import Recipe
from pipeline.model.errors import BumpError

README, CHANGELOG, LIBRARY = Path("README.md"), Path("CHANGELOG.md"), Path("docs", "library.md")

# How an entry about packages of a version begins.
PACKAGES = "Packages of mimalloc"

_TABLE = re.compile(r"^## Releases\n(?:.*\n)*?\| ---.*\n((?:\|.*\n)*)", re.MULTILINE)

# What the README calls the sources that are not upstream's own.
_SOURCES = {"sdist": "Python source distribution", "debian": "Debian's source package"}


def add_row(root: Path, recipe: Recipe, base: str) -> None:
    """Write the row of a release in the table of releases in README, anew where there is one.

    What we change in it is as in ``base``, where it has patches. Raises BumpError where there is no
    such table.
    """
    file = root / README
    text = file.read_text(encoding="utf-8")
    match = _TABLE.search(text)
    if not match:
        raise BumpError("no table below '## Releases'", file=README, hint="restore it")
    lines = (line.strip()[1:-1].split("|") for line in match[1].splitlines())
    rows = {cells[0].strip(): [cell.strip() for cell in cells] for cells in lines}
    changed = rows[base][-1] if recipe.patch and base in rows else ""
    sources = ", ".join(_SOURCES[s.kind] for s in recipe.source if s.kind in _SOURCES)
    rows[recipe.version] = [recipe.version, recipe.soname, sources, changed]
    table = "".join(
        "|" + "".join(f" {cell} |" if cell else " |" for cell in rows[version]) + "\n"
        for version in sorted(rows, key=Version)
    )
    text = text[: match.start(1)] + table + text[match.end(1) :]
    file.write_text(text, encoding="utf-8")


def add_patch(root: Path, version: str, name: str, why: str) -> bool:
    """Write a patch into the list of its release in docs/library.md; False if it has no list."""
    file = root / LIBRARY
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    match = re.search(rf"(?m)^### {re.escape(version)}\n\n(- .*\n)+", text)
    if match:
        row = f"- [{name}](../patches/{version}/{name}): {why}\n"
        file.write_text(text[: match.end()] + row + text[match.end() :], encoding="utf-8")
    return bool(match)


def add_entry(root: Path, kind: str, entry: str) -> None:
    """Write an entry on top of the unreleased changes of a kind in CHANGELOG, where it is missing.

    ``kind`` is a heading such as Added. Raises BumpError where there are no unreleased changes.
    """
    file = root / CHANGELOG
    text = file.read_text(encoding="utf-8")
    if entry in text.splitlines():
        return
    before, mark, after = text.partition("## Unreleased\n")
    if not mark:
        raise BumpError("no heading '## Unreleased'", file=CHANGELOG, hint="write it there")
    unreleased, *released = re.split(r"(?m)^(?=## )", after, maxsplit=1)
    parts = (part.strip() for part in re.split(r"(?m)^(?=### )", unreleased))
    sections = {part.partition("\n")[0]: part for part in parts if part}
    heading = f"### {kind}"
    former = sections.get(heading, "").removeprefix(heading).strip()
    sections[heading] = f"{heading}\n\n{entry}\n{former}".rstrip()
    text = "\n".join([before + mark, "\n\n".join(sections.values()) + "\n", *released])
    file.write_text(text, encoding="utf-8")
