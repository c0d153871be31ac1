"""The patch step: our changes on a copy of the tree, in the recipe's order, with no fuzz."""

import shutil
from pathlib import Path

from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import PatchError
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, copy_tree


def files(root: Path, plan: Plan) -> list[Path]:
    """The patch files of a plan, in order."""
    return [root / "patches" / plan.recipe.version / patch.file for patch in plan.recipe.patch]


def inputs(plan: Plan, root: Path) -> object:
    """The identity of the tree, and the patches in their order."""
    return plan.recipe.tree, [change.sha256 for change in plan.recipe.patch]


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Apply the recipe's patches. Raises PatchError for a wrong checksum or a hunk that fails."""
    target = dirs.patched
    copy_tree(dirs.tree, target)
    shutil.copyfile(dirs.fetched, dirs.origin)
    for change in plan.recipe.patch:
        file = load.patch_file(dirs.workspace.root, plan.recipe, change)
        process.run(
            ["patch", "--strip=1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "-i", file],
            log=dirs.log("patch"),
            error=PatchError,
            what=f"{file.name} does not apply to mimalloc {plan.recipe.version}",
            cwd=target,
            hint=f"write {file.name} anew against the tree in {dirs.tree}",
        )
