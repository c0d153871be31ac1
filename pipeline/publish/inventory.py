"""The inventory of a repository: finished packages and served ones, without old versions."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from pipeline.artifact import placement, statement
from pipeline.model.errors import RepositoryError
from pipeline.publish.key import Key

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
        return Version(self.version), self.release

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


def select(dist: Path, served: Path, key: Key, keep: int) -> Inventory:
    """The packages to serve.

    ``dist`` holds the finished packages and ``served`` is the current tree; both have folders
    ``<dist>/<architecture>``. The ``keep`` newest versions of each package stay, all if it is 0.
    Raises RepositoryError with all packages that must not be served.
    """
    finished, current = (
        {file.name: file for file in sorted(folder.glob("*/*/*.rpm"))} for folder in (dist, served)
    )
    items, complaints = [], []
    for item in _newest(map(read, {**current, **finished}.values()), keep):
        name = item.file.name
        file, complaint = _choose(finished.get(name), current.get(name), key)
        items.append(replace(item, file=file))
        complaints += [f"{name}: {line}" for line in complaint.splitlines()]
    if complaints:
        raise RepositoryError(
            "there are packages that must not be served",
            expected=f"packages that passed the checks, signed with {key.fingerprint}",
            detail="\n".join(complaints),
            hint=f"invoke sign --key {key.fingerprint}, then the same command again",
        )
    inventory, arches = {}, {item.arch for item in items}
    for tag, folder in sorted({(item.dist, item.folder) for item in items if item.arch != NOARCH}):
        # A noarch package belongs to the folder of each architecture.
        kinds = (folder, NOARCH) if folder in arches else (folder,)
        packages = (item for item in items if item.dist == tag and item.folder in kinds)
        inventory[tag, folder] = tuple(packages)
    return inventory


def _newest(items: Iterable[Item], keep: int) -> Iterator[Item]:
    """The ``keep`` newest versions of each package, all if it is 0; the newest first."""
    counts = Counter[tuple[str, str, str]]()
    for item in sorted(items, key=lambda item: (item.rank, item.name), reverse=True):
        package = (item.dist, item.folder, item.name)
        counts[package] += 1
        if not keep or counts[package] <= keep:
            yield item


def _choose(finished: Path | None, current: Path | None, key: Key) -> tuple[Path, str]:
    """The file to serve under a name, and the reason why it must not be served, if there is one.

    A served file stays, so that all copies are the same, unless its signature does not verify.
    """
    content = statement.signed_content
    if finished and current and content(finished) != content(current):
        return finished, "served already, with another content: raise its release (invoke release)"
    for file in filter(None, (current, finished)):
        forged = "" if statement.matches(file) else "not the file that its provenance names"
        complaint = forged or key.complaint(file)
        if not complaint:
            break
    return file, complaint
