"""What a release's source says of itself, and whether all of it agrees with the tag."""

import re
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.model import Package
from pipeline.model.errors import VerifyError
from pipeline.steps import unpack
from pipeline.system.checksum import identity_of

_MINIMUM = re.compile(r"^\s*cmake_minimum_required\s*\(\s*VERSION\s+(\d+(?:\.\d+)*)", re.M | re.I)
_NAMES = re.compile(r"\bmimalloc\s+PROPERTIES\s+VERSION\s+(\S+)\s+SOVERSION\s+(\S+?)[\s)]")
_COMMIT = re.compile(r"[0-9a-f]{40}")

_CMAKE, _LICENCE = "CMakeLists.txt", "LICENSE"


@dataclass(frozen=True, slots=True)
class Tree:
    """What the unpacked tree of a release says of itself.

    ``soname`` and ``library`` end in the numbers that its cmake file gives them; ``cmake`` is the
    version of cmake that it asks for.
    """

    folder: Path
    identity: str
    mi_version: int
    soname: str
    library: str
    cmake: str
    licence: str


def of_archive(archive: Path, folder: Path, package: Package) -> str:
    """Unpack an archive into a new folder, and give the identity of what is in it."""
    folder.mkdir(parents=True)
    unpack.extract(archive, folder, package)
    return identity_of(folder)


def read(folder: Path, version: str, stem: str) -> Tree:
    """The facts of an unpacked tree; ``stem`` is what the library's file name begins with.

    Raises VerifyError where header, cmake files and tag do not tell the same version.
    """
    told, number = unpack.told_version(folder), unpack.told_number(folder)
    if told != version:
        raise _disagreement(version, folder / unpack.CONFIG, version, told)
    if number not in _numbers(version):
        expected = " or ".join(map(str, sorted(_numbers(version))))
        raise _disagreement(version, folder / unpack.HEADER, expected, str(number or ""))
    text = _text(folder / _CMAKE)
    library, soname = (f"{stem}.{number}" for number in _library_numbers(text, version))
    major, minor, *_ = version.split(".")
    wanted = f"{stem}.{major}.{minor}, {stem}.{major}"
    if f"{library}, {soname}" != wanted:
        raise _disagreement(version, folder / _CMAKE, wanted, f"{library}, {soname}")
    minimum = _MINIMUM.search(text)
    return Tree(
        folder=folder,
        identity=identity_of(folder),
        mi_version=number or 0,
        soname=soname,
        library=library,
        cmake=minimum[1] if minimum else "0",
        licence=_text(folder / _LICENCE),
    )


def cmake_and_licence(folder: Path) -> tuple[str, str]:
    """The version of cmake that a tree asks for, and its licence."""
    minimum = _MINIMUM.search(_text(folder / _CMAKE))
    return minimum[1] if minimum else "0", _text(folder / _LICENCE)


def stamp(archive: Path) -> tuple[str, datetime | None]:
    """The commit that git packed an archive from, and its time; nothing where git did not."""
    try:
        with tarfile.open(archive, mode="r:*") as opened:
            first = opened.next()
            commit = opened.pax_headers.get("comment", "")
    except (tarfile.TarError, EOFError, OSError):
        return "", None
    if first is None or not _COMMIT.fullmatch(commit):
        return "", None
    return commit, datetime.fromtimestamp(int(first.mtime), UTC)


def _numbers(version: str) -> set[int]:
    """What ``mi_version()`` may return: upstream has had three ways to make it a number."""
    parts = [int(part) for part in re.findall(r"\d+", version)]
    major, minor, patch = (*parts, 0, 0)[:3]
    return {
        major * 100 + minor * 10 + patch,
        major * 1000 + minor * 100 + patch,
        major * 10000 + minor * 100 + patch,
    }


def _library_numbers(text: str, version: str) -> tuple[str, str]:
    """What follows the library's name, and what its soname, as cmake will put it in."""
    found = _NAMES.search(text)
    if not found:
        return "none", "none"
    major, minor, *_ = version.split(".")
    values = {"mi_version": f"{major}.{minor}", "mi_version_major": major}

    def filled(word: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda name: values.get(name[1], name[0]), word)

    return filled(found[1]), filled(found[2])


def _disagreement(version: str, file: Path, expected: str, got: str) -> VerifyError:
    return VerifyError(
        f"what is tagged as {version} calls itself something else, in {file.name}",
        expected=expected,
        got=got or "none",
        file=file,
        hint="leave this release out, and ask upstream what it is: invoke bump --list",
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
