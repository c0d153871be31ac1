"""What is served has the name that its header says, of a package that a recipe makes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.build import selection
from pipeline.inspect import header
from pipeline.model.errors import CheckError, RepositoryError
from pipeline.publish import inventory
from pipeline.publish.inventory import Item

# How many paths a command line has space for, however long they are.
_AT_ONCE = 400


class Outline(NamedTuple):
    """A package by its header: its file name, and what it requires of ours, as ``name = evr``."""

    name: str
    requires: frozenset[str]


def read(files: Sequence[Path], name: str, home: Path) -> dict[str, Outline]:
    """The outlines of packages, by the names of their files; of one that rpm cannot read, none.

    ``name`` begins all names of ours, ``home`` is a folder without rpm macros.
    """
    outlines = {}
    for start in range(0, len(files), _AT_ONCE):
        some = files[start : start + _AT_ONCE]
        for file, (own, requires) in zip(some, _rows(some, home), strict=True):
            needs = (need for need in requires if f"{need.split()[0]}-".startswith(f"{name}-"))
            outlines[file.name] = Outline(own, frozenset(needs))
    return outlines


def _rows(files: Sequence[Path], home: Path) -> list[tuple[str, frozenset[str]]]:
    try:
        return header.outlines(files, home=home)
    except CheckError:
        if len(files) == 1:
            return [("", frozenset())]
        return [row for file in files for row in _rows([file], home)]


def check(root: Path, items: Iterable[Item], outlines: Mapping[str, Outline]) -> None:
    """Raise RepositoryError with all packages that bear another name than we would give them.

    An older release number than the recipe's is right: it was the recipe's before.
    """
    newest, complaints = _newest_releases(root), []
    for item in items:
        name = outlines[item.file.name].name
        if name != item.file.name:
            complaints.append(f"{item.file.name}: its header says {name or 'nothing'}")
        elif item.release > newest.get(_without_release(item), 0):
            complaints.append(f"{name}: no recipe makes it")
    if complaints:
        raise RepositoryError(
            "there are packages that are not ours",
            expected="packages of the recipes, under the names of their headers",
            detail="\n".join(sorted(complaints)),
            hint="remove them from dist/ and from repository/, then the same command again",
        )


def _newest_releases(root: Path) -> dict[tuple[str, str, str, str], int]:
    """The release number of each package that recipes make."""
    plans = selection.plans(root, selection.ALL)
    made = [inventory.read(Path(name)) for plan in plans for name in plan.all_file_names]
    return {_without_release(item): item.release for item in made}


def _without_release(item: Item) -> tuple[str, str, str, str]:
    return item.name, item.version, item.dist, item.arch
