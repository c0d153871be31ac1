"""Run real programs on the library of built packages."""

import tempfile
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.build.selection import Selection, plans
from pipeline.commands import each
from pipeline.model import Plan
from pipeline.smoke import suite
from pipeline.system import disk, locks, workspace
from pipeline.system.report import Report


def run(root: Path, selection: Selection) -> None:
    """Run programs on the library of every selected package, going on after a failure.

    What is tried is the RPM in ``dist/`` as it is. The first failure is raised in the end.
    """
    place, report = workspace.locate(root), Report()

    def one(plan: Plan) -> None:
        rpm, log = each.built_package(plan, place), place.work / "smoke" / f"{plan.nevra}.log"
        if not placement.finished(plan, make.step_dirs(plan, place)):
            command = each.build_command(plan)
            report.line(f"  outdated, and tried all the same; to make it anew: {command}")
        with (
            disk.guarded(),
            locks.in_use(place),
            tempfile.TemporaryDirectory(prefix="mimalloc-smoke-") as folder,
        ):
            workspace.remove(log)
            suite.run(plan, rpm, Path(folder), place, log, report)

    each.run(plans(root, selection), one, report, "good")
