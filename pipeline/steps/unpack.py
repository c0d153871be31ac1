"""The unpack step: extract what the build reads, safely, and verify that it is what was tagged."""

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

# The files of a release that state its version.
HEADER = "include/mimalloc.h"
CONFIG = "cmake/mimalloc-config-version.cmake"

# The files that every release's tree has.
_MARKERS = ("CMakeLists.txt", HEADER)
_BROKEN = (
    *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError),
    MemoryError,  # a compressed stream may request any amount
)
# In an empty folder only the archive's own names cause these: a name that is too long, or that is
# a file and a folder at once.
_BAD_NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def inputs(plan: Plan, root: Path) -> object:
    """The identity of the tree, and which files it is computed from."""
    return plan.recipe.tree, plan.package.identity


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Unpack the fetched source, then verify its identity and the version that it states.

    Raises UnpackError for a broken or hostile archive, VerifyError for the wrong content.
    """
    dirs.tree.mkdir()
    if plan.user_source and plan.user_source.kind == "folder":
        _copy(Path(plan.user_source.location), dirs.tree, plan.package)
    else:
        extract(dirs.archive, dirs.tree, plan.package)
    _verify(plan, dirs.tree)


def extract(archive: Path, target: Path, package: Package) -> None:
    """Unpack what a build reads of a release into the empty folder ``target``.

    Raises UnpackError for an archive that is broken or hostile, or that holds no release.
    """
    try:
        with opened(archive, package.limits.unpacked) as (tar, contents):
            members = list(_checked(contents, package.limits))
            base = _base({PurePosixPath(member.name) for member in members if member.isreg()})
            for member in members:
                path = PurePosixPath(member.name)
                if member.isdir() or not path.is_relative_to(base):
                    continue
                path = path.relative_to(base)
                if package.reads(path):
                    _write(tar, member, target / path)
    except _BROKEN as problem:
        if isinstance(problem, OSError) and problem.errno not in (None, *_BAD_NAMES):
            raise
        raise UnpackError(
            "the archive is truncated or broken",
            got=str(problem) or type(problem).__name__,
            file=archive,
            hint="name another one with --source",
        ) from problem


def _checked(members: Iterable[tarfile.TarInfo], limits: Limits) -> Iterator[tarfile.TarInfo]:
    """The members, if all of them are harmless and small enough, also those that are not used."""
    size, paths = 0, set()
    for count, member in enumerate(members, 1):
        size += member.size
        if size > limits.unpacked or count > limits.entries:
            raise UnpackError(
                "the archive is too large",
                expected=f"at most {limits.unpacked} bytes in {limits.entries} entries",
                got=f"{size} bytes or more in {count} entries or more",
            )
        path = PurePosixPath(member.name)
        if reason := _harm(member, path):
            raise _hostile(member, reason)
        if member.isreg() and path in paths:
            raise _hostile(member, "the same path twice")
        paths.add(path)
        yield member


def _harm(member: tarfile.TarInfo, path: PurePosixPath) -> str:
    """Why a member is harmful, if it is; tarfile's own filters are missing in Python 3.11.2."""
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


def _hostile(member: tarfile.TarInfo, reason: str) -> UnpackError:
    return UnpackError(
        f"the archive holds what no release holds: {member.name!r}",
        got=reason,
        hint="do not trust the place that it came from",
    )


def _base(files: set[PurePosixPath]) -> PurePosixPath:
    """The folder of the release's tree: the shallowest that has all of the markers."""
    tops = [file.parent for file in files if file.name == _MARKERS[0]]
    trees = [top for top in tops if all(top / marker in files for marker in _MARKERS)]
    if not trees:
        raise UnpackError("no mimalloc in it", expected=" and ".join(_MARKERS), got="neither")
    return min(trees, key=lambda folder: (len(folder.parts), str(folder)))


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    if not member.isreg():
        raise _hostile(member, "a link where a file should be")
    content = tar.extractfile(member)
    assert content is not None, "a regular file has content"
    file.parent.mkdir(parents=True, exist_ok=True)
    with content, file.open("xb") as sink:
        shutil.copyfileobj(content, sink)
    if file.stat().st_size != member.size:
        raise tarfile.ReadError(f"{member.name} ends early")


def _copy(folder: Path, target: Path, package: Package) -> None:
    if not all((folder / marker).is_file() for marker in _MARKERS):
        raise RequestError("not a mimalloc tree", expected=" and ".join(_MARKERS), file=folder)
    for file in sorted(folder.rglob("*")):
        path = PurePosixPath(file.relative_to(folder).as_posix())
        if not package.reads(path) or (file.is_dir() and not file.is_symlink()):
            continue
        if file.is_symlink() or not file.is_file():
            raise UnpackError(
                "the folder holds what no release holds",
                got="a link or a device where a file should be",
                file=file,
                hint="use the tree as upstream tagged it",
            )
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / path)


def _verify(plan: Plan, tree: Path) -> None:
    """Compare the tree with the recipe: its identity, then both places that state its version."""
    recipe, identity = plan.recipe, identity_of(tree)
    if identity != recipe.tree:
        raise VerifyError(
            f"this is not mimalloc {recipe.version} as upstream tagged it",
            expected=recipe.tree,
            got=identity,
            file=tree,
            hint=f"invoke unpack --version {recipe.version}, without --source,\n"
            "then diff -r that tree with this one",
        )
    number = str(header_version(tree) or "")
    for file, what, expected, got in (
        (HEADER, "the header", str(recipe.mi_version), number),
        (CONFIG, "cmake's version file", recipe.version, cmake_version(tree)),
    ):
        if got != expected:
            what = f"{what} states another version"
            raise VerifyError(what, expected=expected, got=got or "none", file=tree / file)


def header_version(tree: Path) -> int:
    """What ``mi_version()`` of a release returns, read from its header; 0 where it has none."""
    header = (tree / HEADER).read_text(encoding="utf-8", errors="replace")
    version = re.search(r"#define\s+MI_MALLOC_VERSION\s+(\d+)", header)
    return int(version[1]) if version else 0


def cmake_version(tree: Path) -> str:
    """The version in the file that cmake installs; empty where a release has no such file."""
    file = tree / CONFIG
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    parts = [re.search(rf"mi_version_{part}\s+(\d+)", text) for part in ("major", "minor", "patch")]
    return ".".join(part[1] for part in parts if part)
