"""The scratch checkout: a release is built and checked in it before a file is placed."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline.build import selection
from pipeline.bump import documents
from pipeline.model import Options, Plan
from pipeline.model.errors import BumpError
from pipeline.system.checksum import sha256_of
from pipeline.system.disk import guarded
from pipeline.system.locks import in_use, locked
from pipeline.system.report import Report
from pipeline.system.temporary import temporary
from pipeline.system.workspace import Workspace, place, remove

# What a bump reads of a checkout.
_DATA = (
    *("recipes", "patches", "buildroot"),
    *map(str, (documents.README, documents.CHANGELOG, documents.LIBRARY)),
)


@dataclass(frozen=True, slots=True)
class ScratchCheckout:
    """A copy of a checkout's data, for one release.

    ``checkout`` is what it was copied from, and ``checksums`` are of the files there at that time.
    The folder above ``root`` has other files of the bump. ``source`` is where packages are built
    from, empty for where the release is pinned.
    """

    checkout: Path
    checksums: Mapping[str, str]
    workspace: Workspace
    version: str
    source: str
    options: Options
    report: Report

    @property
    def root(self) -> Path:
        """The root of the copy."""
        return self.workspace.root

    @property
    def recipe(self) -> Path:
        """The file of the release's recipe."""
        return self.root / "recipes" / f"{self.version}.toml"

    def plans(self, version: str = "", source: str = "") -> list[Plan]:
        """Every package of the release, or of another version from another source."""
        version, source = (version, source) if version else (self.version, self.source)
        return selection.plans(self.root, replace(selection.ALL, version=version, source=source))


@contextmanager
def scratch_checkout(
    workspace: Workspace, version: str, source: str, options: Options, *, dry_run: bool = False
) -> Iterator[ScratchCheckout]:
    """A scratch checkout for a release; other bumps, and ``invoke clean``, wait until it is closed.

    What was built in an earlier one is reused. That of a dry run is in a temporary folder.
    """
    report = Report()
    with ExitStack() as stack:
        stack.enter_context(guarded())
        if dry_run:
            folder = stack.enter_context(temporary("bump"))
        else:
            folder = workspace.work / "bump" / version
            waiting = partial(report.wait, "bump", "another bump is running")
            stack.enter_context(in_use(workspace))
            stack.enter_context(locked(workspace.locks, "bump", waiting=waiting))
        root, checksums = folder / "checkout", _checksums(workspace.root)
        for name in _DATA:
            remove(root / name)
        for name in checksums:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(workspace.root / name, root / name)
        copy = Workspace(root, workspace.cache)
        yield ScratchCheckout(workspace.root, checksums, copy, version, source, options, report)


def place_files(scratch: ScratchCheckout) -> list[str]:
    """Place what differs in the scratch checkout, file by file, the recipe last; returns the paths.

    A run that ends in between is completed by the same command: until the recipe is there, the
    other files have no effect. Raises BumpError, and places nothing, where the checkout has changed
    since it was copied.
    """
    scratch.report.line("in place")
    old, new = _checksums(scratch.checkout), _checksums(scratch.root)
    if old != scratch.checksums:
        raise BumpError(
            "the checkout has changed during the bump",
            file=scratch.checkout,
            hint="the same command again: it reuses what was built",
        )
    changed = [name for name in {*old, *new} if old.get(name) != new.get(name)]
    changed.sort(key=lambda name: (name.endswith(".toml"), name))
    for name in changed:
        if name in new:
            place(scratch.root / name, scratch.checkout / name)
        else:
            (scratch.checkout / name).unlink(missing_ok=True)
        scratch.report.line(f"  {'written' if name in new else 'removed'}  {name}")
    return changed


def _checksums(root: Path) -> dict[str, str]:
    """The checksum of each file that a bump reads, by its path in the checkout."""
    starts = [root / name for name in _DATA]
    files = (file for start in starts for file in [start, *start.rglob("*")] if file.is_file())
    return {str(file.relative_to(root)): sha256_of(file) for file in files}
