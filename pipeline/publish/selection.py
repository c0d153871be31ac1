"""Which packages a repository serves: what is finished, what it served before, less what is old."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from pipeline.artifact import statement
from pipeline.artifact.signed_content import signed as content_of
from pipeline.model.errors import RepositoryError
from pipeline.publish.signature import Keyring

# Name, version, release and architecture of a file; the release ends in the dist tag.
_NEVRA = re.compile(r"(.+)-([^-]+)-([0-9]+)\.([a-z0-9_]+)\.([a-z0-9_]+)\.rpm")

SOURCE, ANY = "source", "noarch"


@dataclass(frozen=True, slots=True)
class Item:
    """One package file, and what its name says."""

    file: Path
    name: str
    version: str
    release: int
    dist: str
    arch: str

    @property
    def rank(self) -> tuple[Version, int]:
        """What decides which of two packages of one name is the newer one."""
        return Version(self.version), self.release

    @property
    def line(self) -> str:
        """The line of releases, within which the library keeps its soname, such as ``v2``."""
        return f"v{Version(self.version).major}"

    @property
    def shelf(self) -> str:
        """The folder that its kind goes into: its architecture, or ``source``."""
        return SOURCE if self.arch == "src" else self.arch


def by_number(line: str) -> int:
    """By what lines are sorted: ``v10`` is newer than ``v9``."""
    return int(line.removeprefix("v"))


Inventory = Mapping[tuple[str, str], tuple[Item, ...]]


def read(file: Path) -> Item:
    """What the name of a package file says. Raises RepositoryError where it is none of ours."""
    found = _NEVRA.fullmatch(file.name)
    try:
        if found:
            name, version, release, dist, arch = found.groups()
            Version(version)
            return Item(file, name, version, int(release), dist, arch)
    except ValueError:  # no version, or a number of thousands of digits
        pass
    raise RepositoryError(
        "the name of a file is not that of a package",
        expected="name-version-release.dist.arch.rpm",
        got=file.name,
        file=file,
        hint="move it out of dist/",
    )


def select(dist: Path, served: Path, ring: Keyring, keep: int) -> Inventory:
    """The packages to serve, by dist and folder, the newest first.

    ``dist`` holds the finished packages and ``served`` what is served now; both have folders
    ``<dist>/<architecture>``. Of each package the ``keep`` newest stay, all where it is 0. Raises
    RepositoryError with all that must not be served.
    """
    fresh, before = _packages(dist), _packages(served)
    items = _newest([read(file) for file in {**before, **fresh}.values()], keep)
    chosen, complaints = [], []
    for item in items:
        name = item.file.name
        file, complaint = _choose(fresh.get(name), before.get(name), ring)
        chosen.append(replace(item, file=file))
        complaints += [f"{name}: {line}" for line in complaint.splitlines()]
    if complaints:
        key = ring.key.fingerprint
        raise RepositoryError(
            "there are packages that must not be served",
            expected=f"packages that passed the checks, signed with {key}",
            detail="\n".join(complaints),
            hint=f"invoke sign --key {key}, then the same command again",
        )
    return _shelved(chosen)


def _packages(folder: Path) -> dict[str, Path]:
    return {file.name: file for file in sorted(folder.glob("*/*/*.rpm"))}


def _choose(new: Path | None, old: Path | None, ring: Keyring) -> tuple[Path, str]:
    """The file to serve under a name, and what speaks against it.

    What is served stays as it is, so that nobody's copy differs, unless its signature is no good.
    """
    if new and old and content_of(new) != content_of(old):
        return new, "served already, with another content: raise its release (invoke release)"
    verdicts = [(file, _unfit(file, ring)) for file in (old, new) if file]
    return next((verdict for verdict in verdicts if not verdict[1]), verdicts[-1])


def _unfit(file: Path, ring: Keyring) -> str:
    if not statement.vouches(file):
        return "not the file that its provenance names"
    return ring.complaint(file)


def _newest(items: Iterable[Item], keep: int) -> list[Item]:
    """Of each package the newest ones, so many, or all where it is 0."""
    found: dict[tuple[str, str, str], list[Item]] = {}
    for item in sorted(items, key=lambda item: item.rank, reverse=True):
        found.setdefault((item.dist, item.shelf, item.name), []).append(item)
    return [item for versions in found.values() for item in versions[: keep or None]]


def _shelved(items: Iterable[Item]) -> Inventory:
    """Each package in the folders that it belongs to, one for any architecture in that of each."""
    items = sorted(items, key=lambda item: item.rank, reverse=True)
    shelves = sorted({(item.dist, item.shelf) for item in items if item.arch != ANY})
    return {
        (dist, shelf): tuple(
            item
            for item in items
            if item.dist == dist and (item.shelf == shelf or (item.arch == ANY and shelf != SOURCE))
        )
        for dist, shelf in shelves
    }
