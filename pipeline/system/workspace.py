"""The folders of a checkout (cache, work, dist), and how a file gets its final name."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path

from pipeline.model import Options
from pipeline.model.errors import WorkspaceError

CACHE_VARIABLE = "MIMALLOC_CACHE"

# The layout of cache and work folders. Another layout has another number, and so other folders.
FORMAT = "v1"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one checkout, and the cache that all checkouts of a user share."""

    root: Path
    cache: Path

    @property
    def work(self) -> Path:
        """The step directories; all of it can be rebuilt."""
        return self.root / "work" / FORMAT

    @property
    def dist(self) -> Path:
        """Finished packages, and nothing else."""
        return self.root / "dist"

    @property
    def locks(self) -> Path:
        """Lock files, outside the work folder: cleaning must not remove one that a build holds."""
        return self.root / ".locks"


@dataclass(frozen=True, slots=True)
class StepDirs:
    """The step directories of one plan, each named by the step and the key of its result."""

    workspace: Workspace
    keys: Mapping[str, str]
    options: Options = field(default_factory=Options)

    def folder(self, step: str) -> Path:
        """The directory that the step works in."""
        return self.workspace.work / step / self.keys[step][:16]

    def log(self, step: str) -> Path:
        """The output of the step's programs."""
        return self.folder(step) / "log"

    def done(self, step: str) -> Path:
        """The marker of a complete step, written last: what it left in the work folder."""
        return self.folder(step) / "contents"

    def origin(self, step: str) -> Path:
        """JSON: the origin of the source that ``fetch`` fetched, or ``patch`` has patched.

        That of the patched tree stays after the source is removed.
        """
        return self.folder(step) / "origin.json"

    # The results of the steps.

    @property
    def archive(self) -> Path:
        """The fetched archive; it does not exist if the user's source is a folder."""
        return self.folder("fetch") / "archive"

    @property
    def tree(self) -> Path:
        """The release as upstream tagged it: the files of its identity, and no others."""
        return self.folder("unpack") / "tree"

    @property
    def patched(self) -> Path:
        """The patched tree."""
        return self.folder("patch") / "tree"

    @property
    def build(self) -> Path:
        """cmake's build folder."""
        return self.folder("configure") / "build"

    @property
    def stage(self) -> Path:
        """The root folder of the installed release."""
        return self.folder("stage") / "root"

    @property
    def license(self) -> Path:
        """The text of the release's licence."""
        return self.folder("stage") / "LICENSE"

    @property
    def packages(self) -> Path:
        """The folder of the RPMs that rpmbuild wrote, not yet checked."""
        return self.folder("package") / "rpms"

    @property
    def unpacked(self) -> Path:
        """The files in the package."""
        return self.folder("check") / "root"

    def of_subpackage(self, name: str) -> Path:
        """The folder that a sub-package is unpacked in."""
        return self.folder("check") / "subpackages" / name


def locate(root: Path) -> Workspace:
    """The workspace of the checkout at ``root``, with the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.environ.get(CACHE_VARIABLE) or f"{base}/mimalloc-custom"
    try:
        cache = Path(folder).expanduser()
    except RuntimeError as problem:
        raise WorkspaceError(
            "no home folder, so no place for the cache",
            hint=f"{CACHE_VARIABLE}=/some/folder invoke ...",
        ) from problem
    _check_characters("checkout", root, "clone it into another folder")
    _check_characters("cache", cache, f"{CACHE_VARIABLE}=/another/folder invoke ...")
    return Workspace(root, cache.absolute() / FORMAT)


def _check_characters(kind: str, folder: Path, hint: str) -> None:
    """Spaces, quotes, colons and % have meanings of their own to rpm, cmake and the linker."""
    characters = sorted(set(re.sub(r"[\w./+,@~-]", "", str(folder))))
    if characters:
        raise WorkspaceError(
            f"the {kind}'s path has characters that rpm and cmake cannot take",
            expected="letters, digits and ./_-+,@~",
            got=" ".join(map(repr, characters)),
            file=folder,
            hint=hint,
        )


def place(source: Path, target: Path) -> None:
    """Copy a complete file to its final name, at once, also from another file system.

    Of this and the next two functions: only one process may write to ``target`` at a time.
    """
    _place(target, lambda temporary: shutil.copyfile(source, temporary))


def place_text(text: str, target: Path) -> None:
    """Write a text under its final name, at once."""
    _place(target, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def place_link(to: str, target: Path) -> None:
    """Make a link, or change its target, at once."""
    _place(target, lambda temporary: temporary.symlink_to(to))


def _place(target: Path, write: Callable[[Path], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    # A process that was killed has left one.
    for file in target.parent.glob(f"{escape(f'.{target.name}')}.*"):
        if file.suffix[1:].isdigit():
            remove(file)
    try:
        write(temporary)
        if not temporary.is_symlink():
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder of files; unlike shutil's, the first file that fails is the error."""
    for entry in [source, *sorted(source.rglob("*"))]:
        copy = target / entry.relative_to(source)
        if entry.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(entry, copy)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, a file or a link, if it exists."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
