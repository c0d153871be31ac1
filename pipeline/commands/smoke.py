"""Run real programs on the library of built packages."""

from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.build.selection import plans
from pipeline.commands import sequential
from pipeline.model import Plan, Selection
from pipeline.smoke import suite
from pipeline.system import disk, locks, workspace
from pipeline.system.report import Report


def run(root: Path, selection: Selection) -> None:
    """Run programs on the library of every selected package, which is the RPM in ``dist/``."""
    place, report = workspace.locate(root), Report()

    def smoke(plan: Plan) -> None:
        rpm = placement.existing(plan, place)
        if not placement.finished(plan, make.step_dirs(plan, place)):
            report.line(f"  outdated; to build it again: {placement.build_command(plan)}")
        with disk.guarded(), locks.in_use(place):
            suite.run(plan, rpm, place, report)

    sequential.run(plans(root, selection), smoke, report, "good")
