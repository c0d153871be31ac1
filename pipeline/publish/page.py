"""The files on top of the repositories: the page, the `.repo` files, the public key."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pipeline.artifact.statement import accompanying_files
from pipeline.config import load
from pipeline.model import BuildRoot, Package
from pipeline.publish.inventory import SOURCE, Inventory, Item
from pipeline.publish.key import Key
from pipeline.system.checksum import sha256_of
from pipeline.system.templates import fill

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class PageContext:
    """What the files describe; ``root`` is the checkout, ``url`` is where the tree is served."""

    root: Path
    package: Package
    key: Key
    url: str
    inventory: Inventory

    @property
    def key_file(self) -> str:
        """The name of the public key's file."""
        return f"RPM-GPG-KEY-{self.package.name}"

    def repo_file(self, line: str) -> str:
        """The name of the `.repo` file of a release line."""
        return f"{self.package.name}-{line}.repo"


@dataclass(frozen=True, slots=True)
class Line:
    """The packages of a release line for one dist, the newest first, and its newest soname."""

    name: str
    soname: str
    packages: tuple[Item, ...]

    @property
    def patterns(self) -> list[str]:
        """The names of its packages, as patterns for dnf and yum."""
        names = sorted({item.name for item in self.packages if item.folder != SOURCE})
        return [f"{name}-{self.name.removeprefix('v')}.*" for name in names]


@dataclass(frozen=True, slots=True)
class Section:
    """Everything that is served for one dist."""

    root: BuildRoot
    folders: tuple[str, ...]
    lines: tuple[Line, ...]


def write(context: PageContext, tree: Path) -> None:
    """Write the page, a `.repo` file for each dist and release line, and the public key.

    Each line has a `.repo` file of its own, so that no upgrade changes the line: its library has
    another soname, and a preload of the old name would be ignored without an error.
    """
    sections = list(_sections(context, tree))
    (tree / context.key_file).write_text(context.key.public, encoding="utf-8")
    for section in sections:
        for line in section.lines:
            text = fill(TEMPLATES / "line.repo.j2", context=context, section=section, line=line)
            file = tree / section.root.dist / context.repo_file(line.name)
            file.write_text(text, encoding="utf-8")
    text = fill(
        TEMPLATES / "index.html.j2",
        context=context,
        sections=sections,
        tree=tree,
        today=date.today(),
        accompanying_files=accompanying_files,
        sha256_of=sha256_of,
    )
    (tree / "index.html").write_text(text, encoding="utf-8")


def _sections(context: PageContext, tree: Path) -> Iterator[Section]:
    """A section for each dist that has packages, the newest dist first."""
    for dist in reversed(load.dists(context.root)):
        folders = [folder for of, folder in context.inventory if of == dist]
        items = [
            replace(item, file=tree / dist / folder / item.file.name)
            for folder in folders
            for item in context.inventory[dist, folder]
        ]
        if items:
            lines = tuple(_lines(items, context.root))
            yield Section(load.build_root(context.root, dist), tuple(folders), lines)


def _lines(items: Iterable[Item], root: Path) -> Iterator[Line]:
    """The release lines, the newest first, each with its packages from the newest down."""
    items = sorted(items, key=lambda item: (item.folder == SOURCE, item.name, str(item.file)))
    items.sort(key=lambda item: item.rank, reverse=True)
    for name in dict.fromkeys(item.line for item in items):
        packages = tuple(item for item in items if item.line == name)
        newest, versions = packages[0].version, load.versions(root)
        soname = load.recipe(root, newest).soname if newest in versions else ""
        yield Line(name, soname, packages)
