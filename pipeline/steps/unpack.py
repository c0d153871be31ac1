"""The unpack step: extract what the build reads, safely, and verify that it is what was tagged."""

import errno
import lzma
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from pipeline.model import Package, Plan, holds
from pipeline.model.errors import RequestError, UnpackError, VerifyError
from pipeline.system import archive
from pipeline.system.checksum import identity_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs

# The files of a release that state its version.
HEADER = "include/mimalloc.h"
CONFIG = "cmake/mimalloc-config-version.cmake"

# The files that every release's tree has.
_MARKERS = ("CMakeLists.txt", HEADER)
# What the standard library raises for a malformed archive.
BROKEN = (
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


def extract(file: Path, target: Path, package: Package) -> None:
    """Unpack what a build reads of a release into the empty folder ``target``.

    Raises UnpackError for an archive that is broken or hostile, or that holds no release.
    """
    try:
        with archive.opened(file, package.limits) as (tar, members):
            base = _base({PurePosixPath(member.name) for member in members if member.isreg()})
            for member in members:
                path = PurePosixPath(member.name)
                if member.isdir() or not path.is_relative_to(base):
                    continue
                path = path.relative_to(base)
                if holds(package.identity, path):
                    _write(tar, member, target / path)
    except BROKEN as problem:
        if isinstance(problem, OSError) and problem.errno not in (None, *_BAD_NAMES):
            raise
        raise UnpackError(
            "the archive is truncated or broken",
            got=str(problem) or type(problem).__name__,
            file=file,
            hint="name another one with --source",
        ) from problem


def _base(files: set[PurePosixPath]) -> PurePosixPath:
    """The folder of the release's tree: the shallowest that has all of the markers."""
    folders = {file.parent for file in files}
    trees = [top for top in folders if all(top / marker in files for marker in _MARKERS)]
    if not trees:
        raise UnpackError("no mimalloc in it", expected=" and ".join(_MARKERS), got="neither")
    return min(trees, key=lambda folder: (len(folder.parts), str(folder)))


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    if not member.isreg():
        raise archive.hostile(member, "a link where a file should be")
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
        if holds(package.identity, path) and file.is_file():
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
    header, config = versions(tree)
    for file, what, expected, got in (
        (HEADER, "the header", str(recipe.mi_version), header),
        (CONFIG, "cmake's version file", recipe.version, config),
    ):
        if got != expected:
            what = f"{what} states another version"
            raise VerifyError(what, expected=expected, got=got or "none", file=tree / file)


def versions(tree: Path) -> tuple[str, str]:
    """What a release's header and cmake's file state: ``mi_version()``'s number, and the version.

    Each is empty where the release does not have it.
    """
    header, config = text(tree / HEADER), text(tree / CONFIG)
    number = re.search(r"#define\s+MI_MALLOC_VERSION\s+(\d+)", header)
    names = ("major", "minor", "patch")
    parts = [re.search(rf"mi_version_{name}\s+(\d+)", config) for name in names]
    return number[1] if number else "", ".".join(part[1] for part in parts if part)


def text(file: Path) -> str:
    """The text of a file of a release, empty where the release does not have it."""
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
