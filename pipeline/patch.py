"""The patch step: our changes on a copy of the tree, in the recipe's order, with no fuzz."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline import process, recipes
from pipeline.errors import PatchError
from pipeline.model import Plan
from pipeline.report import Report
from pipeline.workspace import Site, copy_tree


def files(root: Path, plan: Plan) -> list[Path]:
    """The patch files of a plan, in order."""
    return [root / "patches" / plan.recipe.version / patch.file for patch in plan.recipe.patch]


def run(plan: Plan, site: Site, report: Report) -> None:
    """Apply the recipe's patches. Raises PatchError for a wrong checksum or a hunk that fails."""
    target = site.patched
    copy_tree(site.tree, target)
    shutil.copyfile(site.fetched, site.origin)
    for change in plan.recipe.patch:
        file = recipes.patch_file(site.workspace.root, plan.recipe, change)
        process.run(
            ["patch", "--strip=1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "-i", file],
            log=site.log("patch"),
            error=PatchError,
            what=f"{file.name} does not apply to mimalloc {plan.recipe.version}",
            cwd=target,
            hint=f"write {file.name} anew against the tree in {site.tree}",
        )
