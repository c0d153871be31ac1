"""Signed repositories for dnf and yum: one tree of files, which replaces the last one at once."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.model.errors import RepositoryError, RequestError
from pipeline.publish import checksums, inventory, names, page, withdrawn
from pipeline.publish.inventory import Inventory, Item
from pipeline.publish.key import Key, find_key
from pipeline.publish.page import Context
from pipeline.publish.signing import replace_signature, session
from pipeline.system import process
from pipeline.system.checksum import digest
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, place_link, remove

# The layout of the tree. A tree with another number is replaced.
_FORMAT = 2

# It goes into files that package managers read: nothing in it may end a line or a word.
_URL = re.compile(r"(https?|file)://[\w.:/~%+@-]+")


def run(
    root: Path,
    name: str,
    url: str,
    keep: int = 0,
    *,
    second_key: str = "",
    allow_http: bool = False,
) -> None:
    """Make repositories of the finished packages and of those that are served already.

    ``name`` is the key, ``url`` is where the tree will be served. Of each package of a line the
    ``keep`` newest versions stay, all if it is 0. ``second_key`` is served, too, and what is served
    with its signature is signed anew. Raises RepositoryError for a package that must not be served.
    """
    address, report = _address(url, allow_http=allow_http), Report()
    with session(root, name, report) as (place, key):
        package, link = load.package(root), place.root / "repository"
        second = None
        if second_key:
            second = find_key(second_key, package.signing, key.folder / "second", secret=False)
            if second.fingerprint == key.fingerprint:
                raise RequestError("--second-key", expected="another key", got=second_key)
            report.line(f"second key {second.fingerprint}  {second.owner}".rstrip())
        packages, sums = _select(root, place, (key, second), keep, report)
        context = Context(root, package, key, address, packages, second, withdrawn.read(root), sums)
        result = "made" if _make(context, place, link) else "up to date"
        for (dist, folder), items in packages.items():
            newest = f", {items[0].version} newest" if items else ""
            report.line(f"  {dist:<6}{folder:<17}{len(items):>4} packages{newest}")
        report.line(f"  {result}: {link}, to be served at {address}/")


def _select(
    root: Path, place: Workspace, keys: tuple[Key, Key | None], keep: int, report: Report
) -> tuple[Inventory, Mapping[Path, str]]:
    """The packages to serve, and the checksums of those that are served as they were verified.

    What is served with the second key alone is signed with the first.
    """
    link, (key, second) = place.root / "repository", keys
    releases = withdrawn.read(root)
    finished, served = (
        withdrawn.without(inventory.files(tree), releases) for tree in (place.dist, link)
    )
    if releases:
        report.line(f"  withdrawn: {', '.join(releases)}")
    intact = checksums.intact(served.values(), key)
    if second:
        doubtful = {name: file for name, file in served.items() if file not in intact}
        anew = _signed_anew(doubtful, place.root / ".repository" / ".anew", key, second)
        report.line(f"  {len(anew):>4} served packages signed anew")
        served |= anew
    files = {**served, **finished}
    if not files and not link.exists():
        raise RepositoryError("there is no package yet", file=place.dist, hint="invoke build")
    outlines = names.read(list(files.values()), load.package(root).name, key.folder)
    requires = {name: outline.requires for name, outline in outlines.items()}
    packages, left_out = inventory.select(finished, served, requires, key, keep, intact)
    names.check(root, {item for items in packages.values() for item in items}, outlines)
    for line in left_out:
        report.line(f"  left out, as what it requires is not there: {line}")
    # A folder that was served stays, if empty: where it is missing, package managers stop.
    dists = load.dists(root)
    kept = [(file.parts[-3], file.parts[-2]) for file in sorted(link.glob("*/*/repodata"))]
    return {**{folder: () for folder in kept if folder[0] in dists}, **packages}, intact


def _signed_anew(
    served: Mapping[str, Path], folder: Path, key: Key, second: Key
) -> dict[str, Path]:
    """Copies of the served packages that only the second key has signed, signed with the first."""
    remove(folder)
    folder.mkdir(parents=True)
    anew = {}
    for name, file in served.items():
        if key.complaint(file) and not second.complaint(file) and statement.matches(file):
            for one in (file, *statement.accompanying_files(file)):
                shutil.copyfile(one, folder / one.name)
            replace_signature(folder / name, key, key.folder)
            anew[name] = folder / name
    return anew


def _address(url: str, *, allow_http: bool = False) -> str:
    if not _URL.fullmatch(url):
        raise RequestError(
            "--url is where the repository will be served",
            expected="an address such as https://packages.example.org/mimalloc",
            got=url or "nothing",
        )
    if url.startswith("http:") and not (allow_http or _is_loopback(url)):
        raise RequestError(
            "hosts would fetch the public key from --url, and anybody on the way could replace it",
            expected="https://...",
            got=url,
            hint="if its fingerprint reaches them by another way: --allow-http",
        )
    return url.rstrip("/")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _make(context: Context, place: Workspace, link: Path) -> bool:
    """Lay out a new tree and let the link point to it; False if the current tree is up to date.

    Readers see the old tree or the new one, both complete. The old tree is removed the next time,
    so that nobody loses it while copying.
    """
    trees = place.root / ".repository"
    texts = page.texts(context)
    tree = trees / _key(context, texts)[:16]
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
        known = _copy_packages(items, target, trees, context.sums)
        checksums.write(target, context.key, known)
        log = place.work / "repository" / f"{dist}-{folder}.log"
        _write_metadata(target, current / dist / folder if current else None, log)
        context.key.sign_file(target / "repodata" / "repomd.xml")
    for name, text in texts.items():
        (incomplete / name).write_text(text, encoding="utf-8")
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


def _key(context: Context, texts: Mapping[str, str]) -> str:
    """The digest of all that is served: the page has the checksum of each package."""
    folders = context.inventory.items()
    listing = [[*folder, *(item.file.name for item in items)] for folder, items in folders]
    return digest(_FORMAT, listing, context.key.fingerprint, texts)


def _copy_packages(
    items: Iterable[Item], folder: Path, trees: Path, sums: Mapping[Path, str]
) -> dict[str, str]:
    """Put packages and their accompanying files into a folder; their checksums, if in ``sums``.

    Files of the last tree are linked, as nobody writes to them.
    """
    folder.mkdir(parents=True)
    known = {}
    for item in items:
        for file in (item.file, *statement.accompanying_files(item.file)):
            copy = os.link if trees in file.resolve().parents else shutil.copy2
            copy(file, folder / file.name)
            if file in sums:
                known[file.name] = sums[file]
    return known


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
