"""Signed repositories for dnf and yum: one tree of files, which replaces the last one at once."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.model.errors import RepositoryError, RequestError
from pipeline.publish import inventory, page
from pipeline.publish.inventory import Item
from pipeline.publish.page import PageContext
from pipeline.publish.signing import session
from pipeline.system import process
from pipeline.system.checksum import digest, digest_of_files, sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, place_link, remove

# The layout of the tree. A tree with another number is replaced.
_FORMAT = 1

# It goes into files that package managers read: nothing in it may end a line or a word.
_URL = re.compile(r"(https?|file)://[\w.:/~%+@-]+")


def run(root: Path, name: str, url: str, keep: int = 0) -> None:
    """Make repositories of the finished packages and of those that are served already.

    ``name`` is the key, ``url`` is where the tree will be served. Of each package the ``keep``
    newest versions stay, all if it is 0. Raises RepositoryError for a package that must not be
    served.
    """
    address, report = _address(url), Report()
    with session(root, name, report) as (place, key):
        link = place.root / "repository"
        packages = inventory.select(place.dist, link, key, keep)
        if not packages:
            raise RepositoryError("there is no package yet", file=place.dist, hint="invoke build")
        context = PageContext(root, load.package(root), key, address, packages)
        result = "made" if _make(context, place, link) else "up to date"
        for (dist, folder), items in packages.items():
            newest = items[0].version
            report.line(f"  {dist:<6}{folder:<11}{len(items):>4} packages, {newest} newest")
        report.line(f"  {result}: {link}, to be served at {address}/")


def _address(url: str) -> str:
    if not _URL.fullmatch(url):
        raise RequestError(
            "--url is where the repository will be served",
            expected="an address such as https://packages.example.org/mimalloc",
            got=url or "nothing",
        )
    return url.rstrip("/")


def _make(context: PageContext, place: Workspace, link: Path) -> bool:
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
    page.write(context, incomplete)
    incomplete.rename(tree)
    place_link(os.path.relpath(tree, link.parent), link)
    for old in trees.iterdir():
        if old not in (tree, current):
            remove(old)
    return True


def _key(context: PageContext) -> str:
    """The digest of what the tree depends on: signed packages, address, key, templates."""
    folders = context.inventory.items()
    sums = [[*folder, *(sha256_of(item.file) for item in items)] for folder, items in folders]
    templates = digest_of_files(page.TEMPLATES.iterdir())
    return digest(_FORMAT, sums, context.url, context.key.fingerprint, templates)


def _copy_packages(items: Iterable[Item], folder: Path, trees: Path) -> None:
    """Put packages and their accompanying files into a folder, with a list of checksums.

    Files of the last tree are linked, as nobody writes to them.
    """
    folder.mkdir(parents=True)
    for item in items:
        for file in (item.file, *statement.accompanying_files(item.file)):
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
