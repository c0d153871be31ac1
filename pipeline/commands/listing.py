"""List which releases are built for which dist and architecture."""

from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.build.progress import matrix, of_plan
from pipeline.build.selection import ALL, plans
from pipeline.model import Plan, Selection
from pipeline.system import workspace
from pipeline.system.report import Report, columns
from pipeline.system.workspace import Workspace


def run(root: Path, selection: Selection = ALL) -> dict[str, object]:
    """Print releases by dists and architectures: the release number of a package, or a dash.

    The answer is for ``--json``.
    """
    place, report = workspace.locate(root), Report()
    states = [(plan, _state(plan, place)) for plan in plans(root, selection)]
    texts = {"built": "{}", "outdated": "outdated", "missing": "-"}
    cells = ((plan, texts[state].format(plan.recipe.release)) for plan, state in states)
    for line in matrix(cells, columns()):
        report.line(line)
    return {"packages": [of_plan(plan) | {"state": state} for plan, state in states]}


def _state(plan: Plan, place: Workspace) -> str:
    if make.existing(plan, place):
        return "built"
    return "outdated" if placement.destination(plan, place).exists() else "missing"
