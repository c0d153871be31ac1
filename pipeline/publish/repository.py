"""The repositories of all dists as one tree of files, which takes the place of the last at once."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from pipeline.artifact import statement
from pipeline.model import Package
from pipeline.model.errors import RepositoryError
from pipeline.publish import key, page
from pipeline.publish.selection import Inventory, Item
from pipeline.publish.signature import Keyring
from pipeline.system import process
from pipeline.system.checksum import digest, sha256_of
from pipeline.system.workspace import Workspace, place_link, remove

SUMS = "SHA256SUMS"

# The layout of the tree. With another number, what is served is laid out anew.
_FORMAT = 1


def served(place: Workspace) -> Path:
    """What is served: a link to the newest tree, so that one move replaces everything."""
    return place.root / "repository"


def make(stock: Inventory, place: Workspace, package: Package, ring: Keyring, url: str) -> bool:
    """Lay out the packages as repositories, and serve them; whether there was anything to do.

    ``url`` is where the tree will be found. Whoever reads at that moment sees the old tree or the
    new one, whole. The tree before stays until the next time, for those who are copying it.
    """
    shown = page.PageContext(place.root, package, ring.key, url, stock)
    link, trees = served(place), place.root / ".repository"
    tree = trees / _key(stock, shown)[:16]
    current = link.resolve() if link.is_symlink() else None
    if current == tree:
        return False
    if link.exists() and current is None:
        raise RepositoryError("a file or folder is in the way", file=link, hint="move it away")
    remove(tree)
    half = trees / f".{tree.name}"
    remove(half)
    half.mkdir(parents=True)
    for (dist, shelf), items in stock.items():
        folder = half / dist / shelf
        _fill(folder, items, trees)
        log = place.work / "repository" / f"{dist}-{shelf}.log"
        _describe(folder, current / dist / shelf if current else None, log)
        key.sign_file(folder / "repodata" / "repomd.xml", ring.key, package)
        key.sign_file(folder / SUMS, ring.key, package)
    page.write(shown, half)
    half.rename(tree)
    place_link(os.path.relpath(tree, link.parent), link)
    for old in trees.iterdir():
        if old not in (tree, current):
            remove(old)
    return True


def _key(stock: Inventory, shown: page.PageContext) -> str:
    """What the tree depends on: packages as they are signed, address, key, and the page's text."""
    files = [[*where, *(sha256_of(item.file) for item in items)] for where, items in stock.items()]
    return digest(_FORMAT, files, shown.url, shown.key.fingerprint, page.templates())


def _fill(folder: Path, items: Iterable[Item], trees: Path) -> None:
    """Put packages, and what accounts for them, into a folder, with a list of checksums."""
    folder.mkdir(parents=True)
    lines = []
    for item in items:
        for file in (item.file, *statement.beside(item.file)):
            _take(file, folder, trees)
            lines.append(f"{sha256_of(folder / file.name)}  {file.name}\n")
    (folder / SUMS).write_text("".join(sorted(lines, key=lambda line: line[66:])), encoding="utf-8")


def _take(file: Path, folder: Path, trees: Path) -> None:
    """Another name for what a tree holds already, which nobody writes to; else a copy."""
    if trees in file.resolve().parents:
        (folder / file.name).hardlink_to(file)
    else:
        shutil.copy2(file, folder)


def _describe(folder: Path, before: Path | None, log: Path) -> None:
    """Write the metadata that dnf and yum read, and keep what the last metadata referred to.

    Who has read the last ``repomd.xml`` will ask for its files. Its revision is the time of day,
    unlike all else we make: yum takes older metadata for an attack.
    """
    process.run(
        [
            *("createrepo_c", "--quiet", "--no-database", "--checksum", "sha256"),
            *("--general-compress-type", "gz", folder),
        ],
        log=log,
        error=RepositoryError,
        what=f"createrepo_c cannot describe {folder.parent.name}/{folder.name}",
    )
    for file in _metadata(before) if before else ():
        if not (folder / "repodata" / file.name).exists():
            (folder / "repodata" / file.name).hardlink_to(file)


def _metadata(folder: Path) -> list[Path]:
    """The files that the metadata of a folder refers to."""
    try:
        tree = ElementTree.parse(folder / "repodata" / "repomd.xml")
    except (OSError, ElementTree.ParseError):
        return []
    places = (node.get("href", "") for node in tree.iter() if node.tag.endswith("}location"))
    return [file for place in places if (file := folder / "repodata" / Path(place).name).is_file()]
