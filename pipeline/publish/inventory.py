"""The inventory of a repository: finished packages and served ones, without old versions."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from pipeline.artifact import signed_content, statement
from pipeline.model.errors import RepositoryError
from pipeline.publish.key import Key

# Name, version, release, dist tag and architecture of a file name.
_FILE_NAME = re.compile(r"(.+)-([^-]+)-([0-9]+)\.([a-z0-9_]+)\.([a-z0-9_]+)\.rpm")

SOURCE, NOARCH = "source", "noarch"


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
    def line(self) -> str:
        """The release line, within which the soname stays, such as ``v2``."""
        return f"v{Version(self.version).major}"

    @property
    def folder(self) -> str:
        """The folder of the package: its architecture, or ``source``."""
        return SOURCE if self.arch == "src" else self.arch


# Packages by dist and folder, the newest first.
Inventory = Mapping[tuple[str, str], tuple[Item, ...]]


def read(file: Path) -> Item:
    """The package of a file name. Raises RepositoryError if it is not the name of a package."""
    match = _FILE_NAME.fullmatch(file.name)
    try:
        if match:
            name, version, release, dist, arch = match.groups()
            Version(version)
            return Item(file, name, version, int(release), dist, arch)
    except ValueError:  # not a version, or a number of thousands of digits
        pass
    raise RepositoryError(
        "the name of a file is not that of a package",
        expected="name-version-release.dist.arch.rpm",
        got=file.name,
        file=file,
        hint="move it out of dist/",
    )


def select(dist: Path, served: Path, key: Key, keep: int) -> Inventory:
    """The packages to serve.

    ``dist`` holds the finished packages and ``served`` is the current tree; both have folders
    ``<dist>/<architecture>``. The ``keep`` newest versions of each package stay, all if it is 0.
    Raises RepositoryError with all packages that must not be served.
    """
    finished, current = _packages(dist), _packages(served)
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
    return _by_folder(items)


def _packages(folder: Path) -> dict[str, Path]:
    return {file.name: file for file in sorted(folder.glob("*/*/*.rpm"))}


def _newest(items: Iterable[Item], keep: int) -> list[Item]:
    """The ``keep`` newest versions of each package, all if it is 0; the newest first."""
    packages: dict[tuple[str, str, str], list[Item]] = {}
    for item in sorted(items, key=lambda item: item.rank, reverse=True):
        packages.setdefault((item.dist, item.folder, item.name), []).append(item)
    return [item for versions in packages.values() for item in versions[: keep or None]]


def _choose(finished: Path | None, current: Path | None, key: Key) -> tuple[Path, str]:
    """The file to serve under a name, and the reason why it must not be served, if there is one.

    A served file stays, so that all copies are the same, unless its signature does not verify.
    """
    if finished and current and signed_content.read(finished) != signed_content.read(current):
        return finished, "served already, with another content: raise its release (invoke release)"
    results = [(file, _complaint(file, key)) for file in (current, finished) if file]
    return next((result for result in results if not result[1]), results[-1])


def _complaint(file: Path, key: Key) -> str:
    if not statement.matches(file):
        return "not the file that its provenance names"
    return key.complaint(file)


def _by_folder(items: Iterable[Item]) -> Inventory:
    """The packages of each folder; a noarch package belongs to the folder of each architecture."""
    items = sorted(items, key=lambda item: (item.rank, item.name), reverse=True)
    folders = sorted({(item.dist, item.folder) for item in items if item.arch != NOARCH})
    inventory: dict[tuple[str, str], tuple[Item, ...]] = {}
    for dist, folder in folders:
        kinds = (folder,) if folder == SOURCE else (folder, NOARCH)
        packages = (item for item in items if item.dist == dist and item.folder in kinds)
        inventory[dist, folder] = tuple(packages)
    return inventory
