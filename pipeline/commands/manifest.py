"""Hold the file lists of built packages to their manifests."""

import tempfile
from pathlib import Path

from pipeline import inspect
from pipeline.build.selection import Selection, plans
from pipeline.checks import files
from pipeline.commands import each
from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import CheckError
from pipeline.system import disk, workspace
from pipeline.system.report import Report


def run(root: Path, selection: Selection) -> None:
    """Hold `rpm -qlp` of every package to its manifest. Raises CheckError with the diff."""
    place, report = workspace.locate(root), Report()

    def one(plan: Plan) -> None:
        rpm = each.built_package(plan, place)
        lists = {rpm: (load.manifest_file(root, plan), load.manifest(root, plan))}
        file = load.subpackage_manifest_file(root, plan)
        if plan.subpackage and file:
            lines = load.subpackage_manifest(root, plan)
            lists[rpm.with_name(plan.subpackage.file_name)] = file, lines
        for package, (file, lines) in lists.items():
            with disk.guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-") as folder:
                facts = inspect.read(package, Path(folder), library=plan.library)
            for finding in files.manifest(facts, plan, lines):
                raise CheckError(
                    f"{package.name} lists other paths than its manifest",
                    detail=finding.got,
                    file=file,
                    hint="if the new list is meant, write it into the manifest",
                )
            of = "" if package == rpm else f" of {package.name}"
            report.line(f"  {len(facts.listing)} paths, as in the manifest{of}")

    each.run(plans(root, selection), one, report, "as in their manifests")
