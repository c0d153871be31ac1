"""Compare the file lists of built packages with their manifests."""

import tempfile
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build.selection import plans
from pipeline.checks import files
from pipeline.commands import sequential
from pipeline.config import load
from pipeline.inspect import package
from pipeline.model import Plan, Selection
from pipeline.model.errors import CheckError
from pipeline.system import disk, workspace
from pipeline.system.report import Report


def run(root: Path, selection: Selection) -> None:
    """Compare `rpm -qlp` of every package with its manifest. Raises CheckError with the diff."""
    place, report = workspace.locate(root), Report()

    def compare(plan: Plan) -> None:
        rpm = placement.existing(plan, place)
        for name, file in zip(plan.file_names, load.manifest_files(root, plan), strict=True):
            paths = load.manifest(file)
            with disk.guarded(), tempfile.TemporaryDirectory(prefix="mimalloc-") as scratch:
                facts = package.read(rpm.with_name(name), Path(scratch), library=plan.library)
            for finding in files.manifest(facts, plan, paths):
                raise CheckError(
                    f"{name} lists other paths than its manifest",
                    detail=finding.got,
                    file=file,
                    hint="if the new list is meant, write it into the manifest",
                )
            report.line(f"  {name}: {len(paths)} paths, as in its manifest")

    sequential.run(plans(root, selection), compare, report, "as in their manifests")
