"""Which patches a new release still needs: those whose trial fails without them."""

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pipeline.bump import recipe_writer, trial_build
from pipeline.bump.scratch import ScratchCheckout
from pipeline.config import load
from pipeline.model import Patch
from pipeline.model.errors import BumpError
from pipeline.system import process
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import copy_tree, remove

# In the output of patch, and in a patch.
_FAILED = re.compile(r"^(\d+) out of \d+ hunks? FAILED", re.MULTILINE)
_HUNK = re.compile(r"^@@ ", re.MULTILINE)


def find(
    scratch: ScratchCheckout, recipe: str, releases: Sequence[str], tree: Path
) -> tuple[dict[str, Path], list[str]]:
    """The file of each patch of a new recipe, by name; and the names of those that do not apply.

    A file is that in the checkout's folder for this version; else that of the first of ``releases``
    that applies to ``tree``, else that of the first. Raises BumpError for a patch that none has.
    """
    copy, sources, misfits = tree.with_name("patched"), dict[str, Path](), list[str]()
    copy_tree(tree, copy)
    argv = ("patch", "--strip=1", "--fuzz=0", "--force", "--input")
    for name in recipe_writer.patches(recipe):
        files = _files(name, releases, scratch)
        first = files[0]
        fits = (
            file for file in files if not process.attempt([*argv, file, "--dry-run"], cwd=copy)[0]
        )
        file = sources[name] = next(fits, first)
        # Of one that does not apply some hunks do, and what comes after it may build on these.
        code, output, _ = process.attempt([*argv, file], cwd=copy)
        release = file.parent.name
        if code:
            misfits.append(name)
            scratch.report.line(_rewrite(file, output))
        elif file != first:
            others = f"that of {release}; that of {first.parent.name} does not apply"
            scratch.report.line(f"  patch       {name}: {others}")
    count = len(sources)
    scratch.report.line(f"  patches     {count - len(misfits)} of {count} apply")
    return sources, misfits


def _rewrite(file: Path, output: str) -> str:
    """A line about a patch that does not apply; ``output`` is that of patch."""
    hunks = len(_HUNK.findall(file.read_text(encoding="utf-8", errors="replace")))
    failed = sum(map(int, _FAILED.findall(output))) or hunks
    of = f"{failed} of {hunks} hunks of that of {file.parent.name}"
    return f"  to rewrite  {file.name}: {of} do not apply; is it needed?"


def select(scratch: ScratchCheckout, sources: Mapping[str, Path]) -> list[Patch]:
    """Carry the patches of the recipe that are needed; returns those that are dropped.

    ``sources`` are their files, by name. Raises BumpError for one that is needed and does not
    apply.
    """
    patches = load.recipe(scratch.root, scratch.version).patch
    remove(scratch.root / "patches" / scratch.version)
    if not patches:
        scratch.report.line("  none")
        return []
    text = scratch.recipe.read_text(encoding="utf-8")
    dropped = _needless(patches, text, scratch)
    checksums = {
        patch.file: _copy(sources[patch.file], scratch) for patch in patches if patch not in dropped
    }
    text = recipe_writer.with_patches(text, checksums, scratch.version)
    scratch.recipe.write_text(text, encoding="utf-8")
    if checksums:
        trial_build.apply_patches(scratch)
    return dropped


def _needless(patches: Collection[Patch], text: str, scratch: ScratchCheckout) -> list[Patch]:
    """The patches whose trial passes on the release as upstream tagged it."""
    dropped = []
    passed: dict[str, bool] = {}
    if any(patch.test for patch in patches):
        bare = recipe_writer.with_patches(text, {}, scratch.version)
        scratch.recipe.write_text(bare, encoding="utf-8")
        passed = trial_build.without_patches(scratch)
    for patch in patches:
        if patch.test and patch.test not in passed:
            raise BumpError(f"{patch.file}: there is no trial {patch.test}", file=scratch.recipe)
        if not patch.test:
            verdict = "carried: it names no trial that fails without it"
        elif passed[patch.test]:
            verdict = f"dropped: the trial `{patch.test}` passes without it"
            dropped.append(patch)
        else:
            verdict = f"carried: the trial `{patch.test}` fails without it"
        scratch.report.line(f"  {patch.file} {verdict}")
    return dropped


def _copy(source: Path, scratch: ScratchCheckout) -> str:
    """Copy a patch to where the new recipe finds it; returns its checksum."""
    target = scratch.root / "patches" / scratch.version / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return sha256_of(target)


def _files(name: str, releases: Sequence[str], scratch: ScratchCheckout) -> list[Path]:
    """The files of a patch: the one that is written for this version, or those of releases."""
    folders = scratch.checkout / "patches"
    versions = dict.fromkeys((scratch.version, *releases))
    own, *others = (folders / version / name for version in versions)
    files = [own] if own.is_file() else list(filter(Path.is_file, others))
    if not files:
        raise BumpError("no such patch", expected=" or ".join(map(str, (own, *others))))
    return files
