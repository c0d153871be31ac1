"""The unpack step: archives, safely; only what the build reads, if it is what was tagged."""

import errno
import lzma
import posixpath
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pipeline.model import Limits, Package, Plan
from pipeline.model.errors import RequestError, UnpackError, VerifyError
from pipeline.system.archive import opened
from pipeline.system.checksum import identity_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs

# The files in which a release tells its version.
HEADER = "include/mimalloc.h"
CONFIG = "cmake/mimalloc-config-version.cmake"

# The files that tell where in an archive the release's own tree starts.
_MARKS = ("CMakeLists.txt", HEADER)
_BROKEN = (
    *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError),
    MemoryError,  # that of a packing, which may ask for as much as it likes
)
# In a folder that was empty these are the archive's doing: a name that is too long, or that is
# a file and a folder at once.
_ITS_NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def inputs(plan: Plan, root: Path) -> object:
    """The identity of the tree, and which files have a part in it."""
    return plan.recipe.tree, plan.package.identity


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Unpack the fetched source and hold it to the recipe: identity first, then its own version.

    Raises UnpackError for a broken or hostile archive, VerifyError for the wrong content.
    """
    target = dirs.tree
    target.mkdir()
    if plan.user_source and plan.user_source.kind == "folder":
        _copy(Path(plan.user_source.location), target, plan.package)
    else:
        extract(dirs.archive, target, plan.package)
    _hold_to_identity(plan, target)
    _hold_to_version(plan, target)


def extract(archive: Path, target: Path, package: Package) -> None:
    """Unpack what a build reads of a release into the empty folder ``target``.

    Raises UnpackError for an archive that is broken or hostile, or that holds no release.
    """
    try:
        with opened(archive, package.limits.unpacked) as (tar, found):
            members = list(_judged(found, package.limits))
            base = _base(member.name for member in members if member.isreg())
            for member in members:
                path = _within(member.name, base)
                if path is None or not package.reads(path):
                    continue
                if member.isdir():
                    continue
                if not member.isreg():
                    raise _hostile(member, "a link where a file should be")
                _write(tar, member, target / path)
    except _BROKEN as problem:
        if isinstance(problem, OSError) and problem.errno not in (None, *_ITS_NAMES):
            raise
        raise UnpackError(
            "the archive is truncated or broken",
            got=str(problem) or type(problem).__name__,
            file=archive,
            hint="hand over another one with --source",
        ) from problem


def _judged(found: Iterable[tarfile.TarInfo], limits: Limits) -> Iterator[tarfile.TarInfo]:
    """The members, as long as all of them are harmless; the whole archive counts, used or not."""
    size, seen = 0, set()
    for count, member in enumerate(found, 1):
        size += member.size
        if size > limits.unpacked or count > limits.entries:
            raise UnpackError(
                "the archive is too large",
                expected=f"at most {limits.unpacked} bytes in {limits.entries} entries",
                got=f"{size} bytes or more in {count} entries or more",
            )
        path = PurePosixPath(member.name)
        why = _harm(member, path)
        if not why and member.isreg() and path in seen:
            why = "the same path twice"
        if why:
            raise _hostile(member, why)
        seen.add(path)
        yield member


def _harm(member: tarfile.TarInfo, path: PurePosixPath) -> str:
    """What is wrong with a member by itself; tarfile's own filters are younger than Debian 12."""
    if path.is_absolute() or ".." in path.parts:
        return "a path outside of the archive's folder"
    if member.issym() or member.islnk():
        # A symbolic link starts at its own folder, a hard link at the archive's.
        start = str(path.parent) if member.issym() else "."
        target = posixpath.normpath(posixpath.join(start, member.linkname))
        if target.startswith(("/", "..")):
            return f"a link to {member.linkname!r}, outside of the archive's folder"
    elif not (member.isreg() or member.isdir()):
        return "neither a file nor a folder nor a link"
    return ""


def _hostile(member: tarfile.TarInfo, why: str) -> UnpackError:
    return UnpackError(
        f"the archive holds what no release holds: {member.name!r}",
        got=why,
        hint="do not trust where it came from",
    )


def _base(names: Iterable[str]) -> PurePosixPath:
    """The folder of the release's tree: the shallowest that has all of the marks."""
    found: dict[PurePosixPath, set[str]] = {}
    for name in names:
        for mark in _MARKS:
            if name == mark or name.endswith(f"/{mark}"):
                folder = PurePosixPath(name.removesuffix(mark).rstrip("/") or ".")
                found.setdefault(folder, set()).add(mark)
    whole = [folder for folder, marks in found.items() if len(marks) == len(_MARKS)]
    if not whole:
        raise UnpackError("no mimalloc in it", expected=" and ".join(_MARKS), got="neither")
    return min(whole, key=lambda folder: (len(folder.parts), str(folder)))


def _within(name: str, base: PurePosixPath) -> PurePosixPath | None:
    path = PurePosixPath(name)
    return path.relative_to(base) if path.is_relative_to(base) else None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None, "a regular file has content"
    file.parent.mkdir(parents=True, exist_ok=True)
    with content, file.open("xb") as sink:
        shutil.copyfileobj(content, sink)
    if file.stat().st_size != member.size:
        raise tarfile.ReadError(f"{member.name} ends early")


def _copy(folder: Path, target: Path, package: Package) -> None:
    if not all((folder / mark).is_file() for mark in _MARKS):
        raise RequestError("not a mimalloc tree", expected=" and ".join(_MARKS), file=folder)
    for file in sorted(folder.rglob("*")):
        path = PurePosixPath(file.relative_to(folder).as_posix())
        if not package.reads(path) or (file.is_dir() and not file.is_symlink()):
            continue
        if file.is_symlink() or not file.is_file():
            raise UnpackError(
                "the folder holds what no release holds",
                got="a link or a device where a file should be",
                file=file,
                hint="hand over the tree as upstream tagged it",
            )
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / path)


def _hold_to_identity(plan: Plan, found: Path) -> None:
    got = identity_of(found)
    if got != plan.recipe.tree:
        raise VerifyError(
            f"this is not mimalloc {plan.recipe.version} as upstream tagged it",
            expected=plan.recipe.tree,
            got=got,
            file=found,
            hint=f"invoke unpack --version {plan.recipe.version}, without --source,\n"
            "then diff -r that tree with this one",
        )


def _hold_to_version(plan: Plan, found: Path) -> None:
    """The version that the tree gives itself: in its header, and in what cmake installs."""
    number, version = told_number(found), told_version(found)
    if number != plan.recipe.mi_version:
        raise VerifyError(
            "the header tells another version",
            expected=f"MI_MALLOC_VERSION {plan.recipe.mi_version}",
            got=str(number or "none"),
            file=found / HEADER,
        )
    if version != plan.recipe.version:
        raise VerifyError(
            "cmake's version file tells another version",
            expected=plan.recipe.version,
            got=version or "none",
            file=found / CONFIG,
        )


def told_number(tree: Path) -> int | None:
    """What ``mi_version()`` of a release's tree returns, read from its header."""
    header = (tree / HEADER).read_text(encoding="utf-8", errors="replace")
    told = re.search(r"#define\s+MI_MALLOC_VERSION\s+(\d+)", header)
    return int(told[1]) if told else None


def told_version(tree: Path) -> str:
    """The version of a release's tree, read from the file of it that cmake installs."""
    file = tree / CONFIG
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    parts = [re.search(rf"mi_version_{part}\s+(\d+)", text) for part in ("major", "minor", "patch")]
    return ".".join(part[1] for part in parts if part)
