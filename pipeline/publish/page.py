"""What is served beside packages and metadata: the page, `.repo` files, the public keys."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.artifact.statement import accompanying_files
from pipeline.config import load
from pipeline.model import Package
from pipeline.publish.inventory import DEBUGINFO, SOURCE, Inventory, Item
from pipeline.publish.key import Key
from pipeline.system.checksum import sha256_of
from pipeline.system.templates import fill

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Context:
    """What the files describe; ``root`` is the checkout, ``url`` is where the tree is served.

    ``key`` signs. ``second`` is the next key or the last one, while hosts change over.
    ``withdrawn`` are releases that are not served any more, and why. ``sums`` are checksums of
    packages and of the files beside them, as far as they are known.
    """

    root: Path
    package: Package
    key: Key
    url: str
    inventory: Inventory
    second: Key | None = None
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[Path, str] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys that are served, the one that signs first."""
        return tuple(key for key in (self.key, self.second) if key)

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


def texts(context: Context) -> dict[str, str]:
    """The page, a `.repo` file for each dist and release line, the public keys, by their paths.

    Each line has a `.repo` file of its own, so that no upgrade changes the line: its library has
    another soname, and a preload of the old name would be ignored without an error.
    """
    sections = list(_sections(context))
    files = {context.key_file: "".join(key.public for key in context.keys)}
    for section in sections:
        for line in section["lines"]:
            text = fill(TEMPLATES / "line.repo.j2", context=context, section=section, line=line)
            files[f"{section['root'].dist}/{context.repo_file(line.name)}"] = text
    packages = {item.file for items in context.inventory.values() for item in items}
    files["index.html"] = fill(
        TEMPLATES / "index.html.j2",
        context=context,
        sections=sections,
        today=date.today(),
        accompanying_files=accompanying_files,
        sizes={file.name: file.stat().st_size for file in packages},
        sums={file.name: context.sums.get(file) or sha256_of(file) for file in packages},
    )
    return files


def _sections(context: Context) -> Iterator[dict[str, Any]]:
    """For each dist that has packages, the newest first: its root, folders and release lines.

    The files of packages are their paths in the tree.
    """
    for dist in reversed(load.dists(context.root)):
        folders = [folder for of, folder in context.inventory if of == dist]
        items = [
            replace(item, file=Path(dist, folder, item.file.name))
            for folder in folders
            for item in context.inventory[dist, folder]
        ]
        if items:
            root, lines = load.build_root(context.root, dist), list(_lines(items, context.root))
            debug = any(item.name.endswith(DEBUGINFO) for item in items)
            yield {"root": root, "folders": folders, "lines": lines, "debug": debug}


def _lines(items: Iterable[Item], root: Path) -> Iterator[Line]:
    """The release lines, the newest first, each with its packages from the newest down."""
    items = sorted(items, key=lambda item: (item.folder == SOURCE, item.name, str(item.file)))
    items.sort(key=lambda item: item.rank, reverse=True)
    for major in dict.fromkeys(item.rank[0].major for item in items):
        packages = tuple(item for item in items if item.rank[0].major == major)
        newest, versions = packages[0].version, load.versions(root)
        soname = load.recipe(root, newest).soname if newest in versions else ""
        yield Line(f"v{major}", soname, packages)
