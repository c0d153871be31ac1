"""Where files live (cache, work, dist), and how one gets its final name."""

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

# The layout of cache and work folders. A change of it gets a new number, and so new folders.
FORMAT = "v1"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one checkout, and the cache that all checkouts of a user share."""

    root: Path
    cache: Path

    @property
    def work(self) -> Path:
        """Folders of the steps; all of it can be made again."""
        return self.root / "work" / FORMAT

    @property
    def dist(self) -> Path:
        """Finished packages, and nothing else."""
        return self.root / "dist"

    @property
    def locks(self) -> Path:
        """Lock files, outside the work folder: cleaning must not pull one from under a build."""
        return self.root / ".locks"


@dataclass(frozen=True, slots=True)
class StepDirs:
    """The folders of one plan's steps, each named by the step and by the key of its result."""

    workspace: Workspace
    keys: Mapping[str, str]
    options: Options = field(default_factory=Options)

    def folder(self, step: str) -> Path:
        """The folder that the step works in."""
        return self.workspace.work / step / self.keys[step][:16]

    def log(self, step: str) -> Path:
        """What the step's programs printed."""
        return self.folder(step) / "log"

    def done(self, step: str) -> Path:
        """The stamp that the step is complete; written last."""
        return self.folder(step) / "done"

    # What a step leaves for those after it.

    @property
    def archive(self) -> Path:
        """The fetched archive; there is none where the user handed over a folder."""
        return self.folder("fetch") / "archive"

    @property
    def fetched(self) -> Path:
        """JSON: where the source came from."""
        return self.folder("fetch") / "origin.json"

    @property
    def tree(self) -> Path:
        """The release as upstream tagged it: the files of its identity, and no others."""
        return self.folder("unpack") / "tree"

    @property
    def patched(self) -> Path:
        """The tree with our changes in it."""
        return self.folder("patch") / "tree"

    @property
    def origin(self) -> Path:
        """JSON: where the patched tree came from; it stays when the source is fetched no more."""
        return self.folder("patch") / "origin.json"

    @property
    def build(self) -> Path:
        """cmake's build folder."""
        return self.folder("configure") / "build"

    @property
    def stage(self) -> Path:
        """The root that the release is installed below."""
        return self.folder("stage") / "root"

    @property
    def packages(self) -> Path:
        """The folder of the RPM that rpmbuild wrote, not yet checked."""
        return self.folder("package") / "rpms"

    @property
    def checked(self) -> Path:
        """The checksums of the RPMs that passed the checks, as sha256sum lists them."""
        return self.folder("check") / "sha256"

    @property
    def unpacked(self) -> Path:
        """The files out of the first of them."""
        return self.folder("check") / "root"

    @property
    def unpacked_subpackage(self) -> Path:
        """The files out of the sub-package, where there is one."""
        return self.folder("check") / "switch" / "root"


def locate(root: Path) -> Workspace:
    """The workspace of the checkout at ``root``, with the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        cache = Path(chosen or f"{base}/mimalloc-custom").expanduser()
    except RuntimeError as problem:
        raise WorkspaceError(
            "no home folder, so no place for the cache",
            hint=f"{CACHE_VARIABLE}=/some/folder invoke ...",
        ) from problem
    _refuse_odd("checkout", root, "clone it into another folder")
    _refuse_odd("cache", cache, f"{CACHE_VARIABLE}=/another/folder invoke ...")
    return Workspace(root, cache.absolute() / FORMAT)


def _refuse_odd(kind: str, folder: Path, hint: str) -> None:
    """rpm, cmake and the linker each read something else into a space, a quote, a colon or a %."""
    odd = sorted(set(re.sub(r"[\w./+,@~-]", "", str(folder))))
    if odd:
        raise WorkspaceError(
            f"the {kind}'s path has characters that rpm and cmake cannot take",
            expected="letters, digits and ./_-+,@~",
            got=" ".join(map(repr, odd)),
            file=folder,
            hint=hint,
        )


def place(source: Path, target: Path) -> None:
    """Give a complete file its final name, from whichever file system it comes.

    Of this and what follows: whoever calls it is the only one who writes to the target meanwhile.
    """
    _named(target, lambda half: shutil.copyfile(source, half))


def place_text(text: str, target: Path) -> None:
    """Write a text under its final name, in one move."""
    _named(target, lambda half: half.write_text(text, encoding="utf-8"))


def place_link(to: str, target: Path) -> None:
    """Have a link lead to another place, in one move."""
    _named(target, lambda half: half.symlink_to(to))


def _named(target: Path, write: Callable[[Path], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    # Whoever was killed has left one; since nobody else is at it, that is of no more use.
    for left in target.parent.glob(f"{escape(f'.{target.name}')}.*"):
        if left.suffix[1:].isdigit():
            remove(left)
    try:
        write(half)
        if not half.is_symlink():
            with half.open("rb") as handle:
                os.fsync(handle.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder of files; unlike shutil's, the first file that fails is the error."""
    for entry in [source, *sorted(source.rglob("*"))]:
        copy = target / entry.relative_to(source)
        if entry.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(entry, copy)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, where it is there."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
