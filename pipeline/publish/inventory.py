"""The inventory of a repository: finished packages and served ones, without old versions."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from packaging.version import Version

from pipeline.artifact import placement, statement
from pipeline.model.errors import RepositoryError
from pipeline.publish.key import Key

_version = cache(Version)

# Name, version, release, dist tag and architecture of a file name.
_VERSION = r"[0-9]{1,9}(?:\.[0-9]{1,9})*(?:(?:a|alpha|b|beta|rc)[0-9]{0,9})?"
_FILE_NAME = re.compile(rf"(.+)-({_VERSION})-([0-9]{{1,9}})\.([a-z0-9_]+)\.([a-z0-9_]+)\.rpm")

SOURCE, NOARCH = "source", "noarch"

# The end of the names that package managers look for, where they are asked for debug information.
DEBUGINFO = "-debuginfo"


@dataclass(frozen=True, slots=True)
class Item:
    """A package file, and the parts of its name."""

    file: Path
    name: str
    version: str
    release: int
    dist: str
    arch: str

    @property
    def rank(self) -> tuple[Version, int]:
        """The order of the packages of one name, from the oldest to the newest."""
        return _version(self.version), self.release

    @property
    def evr(self) -> str:
        """What another package requires to have this one, of this version and release."""
        return f"{self.name} = {self.version}-{self.release}.{self.dist}"

    @property
    def folder(self) -> str:
        """The folder of the package: of its architecture, of debug information, or ``source``."""
        if self.name.endswith(DEBUGINFO):
            return placement.debug_folder(self.arch)
        return SOURCE if self.arch == "src" else self.arch


# Packages by dist and folder, the newest first.
Inventory = Mapping[tuple[str, str], tuple[Item, ...]]


def read(file: Path) -> Item:
    """The package of a file name. Raises RepositoryError if it is not the name of a package."""
    match = _FILE_NAME.fullmatch(file.name)
    if not match:
        raise RepositoryError(
            "the name of a file is not that of a package",
            expected="name-version-release.dist.arch.rpm",
            got=file.name,
            file=file,
            hint="move it out of dist/",
        )
    name, version, release, dist, arch = match.groups()
    return Item(file, name, version, int(release), dist, arch)


def files(*trees: Path) -> dict[str, Path]:
    """The packages in ``<dist>/<folder>`` of trees, by their names; the last tree's come first."""
    return {file.name: file for tree in trees for file in sorted(tree.glob("*/*/*.rpm"), key=str)}


def select(
    finished: Mapping[str, Path],
    served: Mapping[str, Path],
    requires: Mapping[str, frozenset[str]],
    key: Key,
    keep: int,
    intact: Collection[Path] = (),
) -> tuple[Inventory, list[str]]:
    """The packages to serve, and those that are left out because they could not be installed.

    ``finished`` and ``served`` are files by their names, ``requires`` is what each requires of
    ours. ``intact`` are those served files that need not be verified again. Of each package of a
    line the ``keep`` newest versions stay, all if it is 0. Raises RepositoryError with all packages
    that must not be served.
    """
    folders, left_out = _folders(map(read, {**finished, **served}.values())), []
    for folder, items in folders.items():
        closed = _closed(items, requires)
        open_ = set(items).difference(closed)
        left_out += [f"{'/'.join(folder)}: {name}" for name in sorted(i.file.name for i in open_)]
        folders[folder] = _closed(_newest(closed, keep), requires)
    complaints, chosen = [], {}
    needed = sorted({item for items in folders.values() for item in items}, key=_order)
    others = [item.file for item in needed if item.file not in intact]
    verified = {*intact, *filter(statement.matches, key.verified(others))}
    for item in needed:
        name = item.file.name
        chosen[name], complaint = _choose(finished.get(name), served.get(name), key, verified)
        complaints += [f"{name}: {line}" for line in complaint.splitlines()]
    if complaints:
        raise RepositoryError(
            "there are packages that must not be served",
            expected=f"packages that passed the checks, signed with {key.fingerprint}",
            detail="\n".join(complaints),
            hint=f"invoke sign --key {key.fingerprint}, then the same command again; for what is "
            "in repository/ alone: docs/signing-and-serving.md#the-life-of-a-key",
        )
    return {
        folder: tuple(replace(item, file=chosen[item.file.name]) for item in items)
        for folder, items in folders.items()
    }, left_out


def _order(item: Item) -> tuple[object, ...]:
    return item.rank, item.file.name


def _folders(items: Iterable[Item]) -> dict[tuple[str, str], list[Item]]:
    """Packages by dist and folder, the newest first; of no architecture: in each architecture's."""
    items = sorted(items, key=_order, reverse=True)
    arches = {item.arch for item in items}
    folders = {}
    for dist, folder in sorted({(i.dist, i.folder) for i in items if i.arch != NOARCH}):
        kinds = (folder, NOARCH) if folder in arches else (folder,)
        folders[dist, folder] = [i for i in items if i.dist == dist and i.folder in kinds]
    return folders


def _closed(items: list[Item], requires: Mapping[str, frozenset[str]]) -> list[Item]:
    """Without those that require a package of ours that is not among them.

    Such as a package of no architecture whose release was built for another architecture only: the
    newest would be one that package managers cannot install.
    """
    provided = {item.name for item in items} | {item.evr for item in items}
    kept = [item for item in items if requires[item.file.name] <= provided]
    return kept if len(kept) == len(items) else _closed(kept, requires)


def _newest(items: Iterable[Item], keep: int) -> list[Item]:
    """The ``keep`` newest versions of each package of a line, all if it is 0."""
    counts, newest = Counter[tuple[str, int]](), []
    for item in items:
        package = (item.name, item.rank[0].major)
        counts[package] += 1
        if not keep or counts[package] <= keep:
            newest.append(item)
    return newest


def _choose(
    finished: Path | None, current: Path | None, key: Key, verified: Collection[Path]
) -> tuple[Path, str]:
    """The file to serve under a name, and the reason why it must not be served, if there is one.

    Of ``verified`` files there is nothing to complain. A served file stays, so that all copies are
    the same, unless its signature does not verify.
    """
    if finished and current and not statement.have_same_content(finished, current):
        return finished, "served already, with another content: raise its release (invoke release)"
    for file in filter(None, (current, finished)):
        if file in verified:
            return file, ""
        matches = statement.matches(file)
        complaint = key.complaint(file) if matches else "not the file that its provenance names"
        if not complaint:
            break
    return file, complaint
