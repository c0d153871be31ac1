"""List which releases are built for which dist and architecture."""

from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.build.progress import matrix
from pipeline.build.selection import ALL, plans
from pipeline.model import Plan
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


def run(root: Path) -> None:
    """Print releases by dists and architectures: the release number of a package, or a dash."""
    place, report = workspace.locate(root), Report()
    for line in matrix((plan, _state(plan, place)) for plan in plans(root, ALL)):
        report.line(line)


def _state(plan: Plan, place: Workspace) -> str:
    if placement.finished(plan, make.step_dirs(plan, place)):
        return str(plan.recipe.release)
    return "outdated" if placement.destination(plan, place).exists() else "-"
