"""Which patches a new release still needs: those whose trial fails without them."""

import shutil
from collections.abc import Collection
from pathlib import Path

from pipeline.bump import recipe_writer, trial_build
from pipeline.bump.scratch import ScratchCheckout
from pipeline.config import load
from pipeline.model import Patch
from pipeline.model.errors import BumpError
from pipeline.system import process
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import copy_tree, remove


def misfits(scratch: ScratchCheckout, recipe: str, base: str, tree: Path) -> list[str]:
    """The patches of a new recipe that do not apply to the tree of its release, as it says."""
    copy, names = tree.with_name("patched"), list[str]()
    copy_tree(tree, copy)
    patches = recipe_writer.patches(recipe)
    argv = ("patch", "--strip=1", "--fuzz=0", "--force", "--input")
    for name in patches:
        file = str(_source(name, base, scratch))
        if process.attempt([*argv, file, "--dry-run"], cwd=copy)[0]:
            names.append(name)
            scratch.report.line(f"  to rewrite  {name} does not apply; see whether it is needed")
        else:
            process.attempt([*argv, file], cwd=copy)
    scratch.report.line(f"  patches     {len(patches) - len(names)} of {len(patches)} apply")
    return names


def select(scratch: ScratchCheckout, base: str) -> list[Patch]:
    """Carry the patches of the recipe that are needed; returns those that are dropped.

    A patch is copied from the checkout's folder for this version, else from that of ``base``.
    Raises BumpError for one that is needed and does not apply.
    """
    patches = load.recipe(scratch.root, scratch.version).patch
    remove(scratch.root / "patches" / scratch.version)
    if not patches:
        scratch.report.line("  none")
        return []
    text = scratch.recipe.read_text(encoding="utf-8")
    dropped = _needless(patches, text, scratch)
    checksums = {
        patch.file: _copy(patch, base, scratch) for patch in patches if patch not in dropped
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


def _copy(patch: Patch, base: str, scratch: ScratchCheckout) -> str:
    """Copy a patch to where the new recipe finds it; returns its checksum."""
    target = scratch.root / "patches" / scratch.version / patch.file
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_source(patch.file, base, scratch), target)
    return sha256_of(target)


def _source(name: str, base: str, scratch: ScratchCheckout) -> Path:
    """A patch in the checkout's folder for this version, else in that of ``base``."""
    patches = scratch.checkout / "patches"
    sources = [patches / version / name for version in (scratch.version, base)]
    source = next(filter(Path.is_file, sources), None)
    if not source:
        raise BumpError("no such patch", expected=" or ".join(map(str, sources)))
    return source
