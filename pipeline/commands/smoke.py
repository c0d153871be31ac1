"""Run real programs on the library of built packages."""

from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.build.selection import Selection, plans
from pipeline.commands import sequential
from pipeline.model import Plan
from pipeline.smoke import suite
from pipeline.system import disk, locks, workspace
from pipeline.system.report import Report


def run(root: Path, selection: Selection) -> None:
    """Run programs on the library of every selected package, which is the RPM in ``dist/``."""
    place, report = workspace.locate(root), Report()

    def smoke(plan: Plan) -> None:
        rpm = sequential.built_package(plan, place)
        if not placement.finished(plan, make.step_dirs(plan, place)):
            command = sequential.build_command(plan)
            report.line(f"  outdated, and run as it is; to build it again: {command}")
        with disk.guarded(), locks.in_use(place):
            suite.run(plan, rpm, place, report)

    sequential.run(plans(root, selection), smoke, report, "good")
