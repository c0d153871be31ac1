"""The tree of a release: its version in each file that states it, its cmake, its licence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from string import Template

from pipeline.bump import cmake_options
from pipeline.bump.cmake_options import Option
from pipeline.model import Package
from pipeline.model.errors import VerifyError
from pipeline.steps import unpack
from pipeline.system import archive
from pipeline.system.checksum import identity_of

_NAMES = re.compile(r"\bmimalloc\s+PROPERTIES\s+VERSION\s+(\S+)\s+SOVERSION\s+([^\s)]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")

# Of a copyright.
_YEARS = re.compile(r"\b(19|20)\d\d\b([-, ]*(19|20)\d\d\b)*")

_CMAKE, _LICENCE = "CMakeLists.txt", "LICENSE"


@dataclass(frozen=True, slots=True)
class Tree:
    """The facts that a recipe takes from the unpacked tree of a release, and its cmake options.

    ``cmake`` is the version of cmake that it needs at least, ``licence`` the checksum of the text
    without years and line breaks.
    """

    identity: str
    mi_version: int
    soname: str
    library: str
    cmake: str = "0"
    licence: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


def extract(file: Path, folder: Path, package: Package) -> str:
    """Unpack an archive into a new folder; returns the identity of the tree."""
    folder.mkdir(parents=True)
    unpack.extract(file, folder, package)
    return identity_of(folder)


def read(folder: Path, version: str, stem: str) -> Tree:
    """Read an unpacked tree; ``stem`` is the library's file name without its numbers.

    Raises VerifyError where header, cmake files and tag do not have the same version.
    """
    major, minor, *_ = version.split(".")
    number, config = unpack.versions(folder)
    cmake = unpack.text(folder / _CMAKE)
    numbers = _NAMES.search(cmake)
    library = "VERSION {} SOVERSION {}".format(*numbers.groups()) if numbers else ""
    library = Template(library).safe_substitute(
        mi_version=f"{major}.{minor}", mi_version_major=major
    )
    for file, expected, got in (
        (unpack.CONFIG, {version}, config),
        (unpack.HEADER, _numbers(version), number),
        (_CMAKE, {f"VERSION {major}.{minor} SOVERSION {major}"}, library),
    ):
        if got not in expected:
            raise VerifyError(
                f"the tree that is tagged {version} has another version in {Path(file).name}",
                expected=" or ".join(sorted(expected)),
                got=got or "none",
                file=folder / file,
                hint="leave this release out, and ask upstream what it is: invoke bump --list",
            )
    names = (f"{stem}.{major}", f"{stem}.{major}.{minor}")
    return Tree(
        identity_of(folder),
        int(number),
        *names,
        cmake_options.minimum(cmake),
        licence_of(unpack.text(folder / _LICENCE)),
        cmake_options.read(cmake),
    )


def licence_of(text: str) -> str:
    """The checksum of the text of a licence: a new year, or another line break, is no new one."""
    return f"sha256:{sha256(' '.join(_YEARS.sub('', text).split()).encode()).hexdigest()}"


def commit_of(file: Path, package: Package) -> tuple[str, datetime | None]:
    """The commit that git packed an archive from, and its time; empty where git did not.

    Raises UnpackError for an archive that is hostile.
    """
    try:
        with archive.opened(file, package.limits) as (tar, members):
            commit = tar.pax_headers.get("comment", "")
            moment = datetime.fromtimestamp(int(members[0].mtime), UTC)
    except (*unpack.BROKEN, LookupError, OverflowError):
        return "", None
    return (commit, moment) if _COMMIT.fullmatch(commit) else ("", None)


def _numbers(version: str) -> set[str]:
    """What ``mi_version()`` may return: upstream has had three ways to make it a number."""
    parts = [int(part) for part in re.findall(r"\d+", version)]
    major, minor, patch = (*parts, 0, 0)[:3]
    factors = ((100, 10), (1000, 100), (10000, 100))
    return {str(major * first + minor * second + patch) for first, second in factors}
