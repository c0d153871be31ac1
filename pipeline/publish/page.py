"""What people and their package managers read of the repositories: page, `.repo` files, key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.model import BuildRoot, Package
from pipeline.publish.key import Key
from pipeline.publish.selection import SOURCE, Inventory, Item, by_number
from pipeline.system.checksum import digest_of_files, sha256_of
from pipeline.system.templates import fill

_HERE = Path(__file__).parent / "templates"
_PAGE, _REPO = "index.html.j2", "line.repo.j2"


@dataclass(frozen=True, slots=True)
class PageContext:
    """What the texts are about; ``root`` is the checkout, ``url`` where the tree is served."""

    root: Path
    package: Package
    key: Key
    url: str
    stock: Inventory

    @property
    def key_file(self) -> str:
        """The name of the public key's file."""
        return f"RPM-GPG-KEY-{self.package.name}"


@dataclass(frozen=True, slots=True)
class Row:
    """One package on the page; the paths are relative to the page."""

    item: Item
    path: str
    size: int
    sha256: str
    statement: str
    bill: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of releases for one dist: its newest version, its soname, all of its packages."""

    name: str
    newest: str
    soname: str
    rows: tuple[Row, ...]

    @property
    def patterns(self) -> list[str]:
        """What its packages are called, in the language of dnf's and yum's settings."""
        names = sorted({row.item.name for row in self.rows if row.item.shelf != SOURCE})
        return [f"{name}-{self.name.removeprefix('v')}.*" for name in names]


@dataclass(frozen=True, slots=True)
class Section:
    """All that is served for one dist."""

    root: BuildRoot
    machines: tuple[str, ...]
    lines: tuple[Line, ...]
    sources: bool
    ended: bool


def write(shown: PageContext, tree: Path) -> None:
    """Write the page, a `.repo` file for each dist and line, and the public key into the tree.

    With a file of its own, no line is left by an upgrade: the library of another line has another
    soname, and a preload of the old name would be ignored without an error.
    """
    sections = tuple(_sections(shown, tree))
    (tree / shown.key_file).write_text(shown.key.public, encoding="utf-8")
    for section in sections:
        for line in section.lines:
            text = fill(_HERE / _REPO, shown=shown, section=section, line=line)
            file = tree / section.root.dist / repo_file(shown.package, line.name)
            file.write_text(text, encoding="utf-8")
    page = fill(_HERE / _PAGE, shown=shown, sections=sections, repo_file=repo_file)
    (tree / "index.html").write_text(page, encoding="utf-8")


def repo_file(package: Package, line: str) -> str:
    """The name of the `.repo` file of a line."""
    return f"{package.name}-{line}.repo"


def templates() -> str:
    """The digest of the texts that are filled in."""
    return digest_of_files(_HERE.iterdir())


def _sections(shown: PageContext, tree: Path) -> Iterator[Section]:
    """A section for each dist that has packages, the newest dist first."""
    for dist in reversed(load.dists(shown.root)):
        shelves = {shelf: held for (of, shelf), held in shown.stock.items() if of == dist}
        if not shelves:
            continue
        root = load.build_root(shown.root, dist)
        rows = [_row(item, shelf, tree) for shelf, held in shelves.items() for item in held]
        yield Section(
            root,
            tuple(shelf for shelf in shelves if shelf != SOURCE),
            tuple(_lines(rows, shown.root)),
            SOURCE in shelves,
            root.support.until < date.today(),
        )


def _row(item: Item, shelf: str, tree: Path) -> Row:
    folder = tree / item.dist / shelf
    file = folder / item.file.name
    path, *beside = (str(each.relative_to(tree)) for each in (file, *statement.beside(file)))
    return Row(item, path, file.stat().st_size, sha256_of(file), *beside)


def _lines(rows: Sequence[Row], root: Path) -> Iterator[Line]:
    """The lines, the newest first, each with its packages from the newest down."""
    for name in sorted({row.item.line for row in rows}, key=by_number, reverse=True):
        held = [row for row in rows if row.item.line == name]
        held.sort(key=lambda row: (row.item.shelf == SOURCE, row.item.name, row.path))
        held.sort(key=lambda row: row.item.rank, reverse=True)
        newest = held[0].item.version
        known = newest in load.versions(root)
        yield Line(name, newest, load.recipe(root, newest).soname if known else "", tuple(held))
