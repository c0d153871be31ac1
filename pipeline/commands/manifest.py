"""Compare the file lists of built packages with their manifests."""

import tempfile
from pathlib import Path

from pipeline.build.selection import Selection, plans
from pipeline.checks import files
from pipeline.commands import sequential
from pipeline.config import load
from pipeline.inspect import package
from pipeline.model import Plan
from pipeline.model.errors import CheckError
from pipeline.system import disk, workspace
from pipeline.system.report import Report


def run(root: Path, selection: Selection) -> None:
    """Compare `rpm -qlp` of every package with its manifest. Raises CheckError with the diff."""
    place, report = workspace.locate(root), Report()

    def compare(plan: Plan) -> None:
        rpm = sequential.built_package(plan, place)
        manifests = [
            (load.manifest_file(root, plan), load.manifest(root, plan)),
            (load.subpackage_manifest_file(root, plan), load.subpackage_manifest(root, plan)),
        ]
        # Without a sub-package there is one name, and the second manifest is not used.
        for name, (file, paths) in zip(plan.file_names, manifests, strict=False):
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
