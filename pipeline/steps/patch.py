"""The patch step: our patches on a copy of the tree, in the recipe's order, without fuzz."""

import shutil
from pathlib import Path

from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import PatchError
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, copy_tree


def inputs(plan: Plan, root: Path) -> object:
    """The identity of the tree, and the patches in their order."""
    return plan.recipe.tree, [patch.sha256 for patch in plan.recipe.patch]


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Apply the recipe's patches. Raises PatchError for a wrong checksum or a hunk that fails."""
    copy_tree(dirs.tree, dirs.patched)
    shutil.copyfile(dirs.origin("fetch"), dirs.origin("patch"))
    for patch in plan.recipe.patch:
        file = load.patch_file(dirs.workspace.root, plan.recipe, patch)
        process.run(
            ["patch", "--strip=1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "-i", file],
            log=dirs.log("patch"),
            error=PatchError(
                f"{file.name} does not apply to mimalloc {plan.recipe.version}",
                hint=f"rewrite {file.name} for the tree in {dirs.tree}",
            ),
            cwd=dirs.patched,
        )
