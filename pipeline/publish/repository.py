"""Signed repositories for dnf and yum: one tree of files, which replaces the last one at once."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.artifact.statement import accompanying_files
from pipeline.config import load
from pipeline.model import Package
from pipeline.model.errors import RepositoryError, RequestError
from pipeline.publish import inventory, names
from pipeline.publish.inventory import DEBUGINFO, SOURCE, Inventory, Item
from pipeline.publish.key import Key
from pipeline.publish.signing import session
from pipeline.system import process
from pipeline.system.checksum import digest, digest_of_files, sha256_of
from pipeline.system.report import Report
from pipeline.system.templates import fill
from pipeline.system.workspace import Workspace, place_link, remove

TEMPLATES = Path(__file__).parent / "templates"

# The layout of the tree. A tree with another number is replaced.
_FORMAT = 2

# It goes into files that package managers read: nothing in it may end a line or a word.
_URL = re.compile(r"(https?|file)://[\w.:/~%+@-]+")


@dataclass(frozen=True, slots=True)
class Context:
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


def run(root: Path, name: str, url: str, keep: int = 0) -> None:
    """Make repositories of the finished packages and of those that are served already.

    ``name`` is the key, ``url`` is where the tree will be served. Of each package the ``keep``
    newest versions stay, all if it is 0. Raises RepositoryError for a package that must not be
    served.
    """
    address, report = _address(url), Report()
    with session(root, name, report) as (place, key):
        link = place.root / "repository"
        package, finished, served = load.package(root), *map(inventory.files, (place.dist, link))
        files = list({**served, **finished}.values())
        if not files:
            raise RepositoryError("there is no package yet", file=place.dist, hint="invoke build")
        outlines = names.read(files, package.name, key.folder)
        requires = {name: outline.requires for name, outline in outlines.items()}
        packages, left_out = inventory.select(finished, served, requires, key, keep)
        names.check(root, {item for items in packages.values() for item in items}, outlines)
        context = Context(root, package, key, address, packages)
        result = "made" if _make(context, place, link) else "up to date"
        for (dist, folder), items in packages.items():
            newest = f", {items[0].version} newest" if items else ""
            report.line(f"  {dist:<6}{folder:<17}{len(items):>4} packages{newest}")
        for line in left_out:
            report.line(f"  left out, as what it requires is not there: {line}")
        report.line(f"  {result}: {link}, to be served at {address}/")


def _address(url: str) -> str:
    if not _URL.fullmatch(url):
        raise RequestError(
            "--url is where the repository will be served",
            expected="an address such as https://packages.example.org/mimalloc",
            got=url or "nothing",
        )
    return url.rstrip("/")


def _make(context: Context, place: Workspace, link: Path) -> bool:
    """Lay out a new tree and let the link point to it; False if the current tree is up to date.

    Readers see the old tree or the new one, both complete. The old tree is removed the next time,
    so that nobody loses it while copying.
    """
    trees = place.root / ".repository"
    tree = trees / _key(context)[:16]
    current = link.resolve() if link.is_symlink() else None
    if current == tree:
        return False
    if link.exists() and current is None:
        raise RepositoryError("a file or folder is in the way", file=link, hint="move it away")
    incomplete = trees / f".{tree.name}"
    for old in (tree, incomplete):
        remove(old)
    incomplete.mkdir(parents=True)
    for (dist, folder), items in context.inventory.items():
        target = incomplete / dist / folder
        _copy_packages(items, target, trees)
        log = place.work / "repository" / f"{dist}-{folder}.log"
        _write_metadata(target, current / dist / folder if current else None, log)
        for file in (target / "repodata" / "repomd.xml", target / "SHA256SUMS"):
            context.key.sign_file(file)
    write_page(context, incomplete)
    _make_readable(trees, incomplete)
    incomplete.rename(tree)
    place_link(os.path.relpath(tree, link.parent), link)
    for old in trees.iterdir():
        if old not in (tree, current):
            remove(old)
    return True


def _make_readable(trees: Path, tree: Path) -> None:
    """Whatever the umask is, a web server can read the tree."""
    for path in (trees, tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _key(context: Context) -> str:
    """The digest of what the tree depends on: signed packages, address, key, templates."""
    folders = context.inventory.items()
    sums = [[*folder, *(sha256_of(item.file) for item in items)] for folder, items in folders]
    templates = digest_of_files(TEMPLATES.iterdir())
    return digest(_FORMAT, sums, context.url, context.key.fingerprint, templates)


def _copy_packages(items: Iterable[Item], folder: Path, trees: Path) -> None:
    """Put packages and their accompanying files into a folder, with a list of checksums.

    Files of the last tree are linked, as nobody writes to them.
    """
    folder.mkdir(parents=True)
    for item in items:
        for file in (item.file, *accompanying_files(item.file)):
            copy = os.link if trees in file.resolve().parents else shutil.copy2
            copy(file, folder / file.name)
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _write_metadata(folder: Path, previous: Path | None, log: Path) -> None:
    """Write the metadata for dnf and yum, and keep the previous metadata's files with it.

    A client that has read the previous ``repomd.xml`` requests those. The revision is the current
    time, unlike all else we write: yum takes older metadata for an attack.
    """
    if previous and (previous / "repodata").is_dir():
        shutil.copytree(previous / "repodata", folder / "repodata")
    process.run(
        [
            *("createrepo_c", "--quiet", "--no-database", "--checksum", "sha256"),
            *("--general-compress-type", "gz", "--compatibility", "--retain-old-md", "1", folder),
        ],
        log=log,
        error=RepositoryError(f"createrepo_c cannot write metadata in {folder}"),
    )


def write_page(context: Context, tree: Path) -> None:
    """Write the page, a `.repo` file for each dist and release line, and the public key.

    Each line has a `.repo` file of its own, so that no upgrade changes the line: its library has
    another soname, and a preload of the old name would be ignored without an error.
    """
    sections = list(_sections(context, tree))
    (tree / context.key_file).write_text(context.key.public, encoding="utf-8")
    for section in sections:
        for line in section["lines"]:
            text = fill(TEMPLATES / "line.repo.j2", context=context, section=section, line=line)
            file = tree / section["root"].dist / context.repo_file(line.name)
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


def _sections(context: Context, tree: Path) -> Iterator[dict[str, Any]]:
    """For each dist that has packages, the newest first: its root, folders and release lines."""
    for dist in reversed(load.dists(context.root)):
        folders = [folder for of, folder in context.inventory if of == dist]
        items = [
            replace(item, file=tree / dist / folder / item.file.name)
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
