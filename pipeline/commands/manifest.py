"""Compare the file lists of built packages with their manifests, or write these."""

from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.build.selection import plans
from pipeline.checks import files
from pipeline.commands import sequential
from pipeline.config import load
from pipeline.inspect import package
from pipeline.model import BUILD_IDS, Facts, Plan, Selection
from pipeline.model.errors import CheckError
from pipeline.system import disk, workspace
from pipeline.system.report import Report
from pipeline.system.temporary import temporary

# What a manifest has in place of the links of a build-id, whose names depend on the bytes.
_LINKS = (BUILD_IDS, BUILD_IDS + "/{build_id[:2]}", BUILD_IDS + "/{build_id[:2]}/{build_id[2:]}")


def run(root: Path, selection: Selection, *, write: bool = False) -> None:
    """Compare `rpm -qlp` of every package with its manifest. Raises CheckError with the diff.

    Or build them up to the package step, and ``write`` their manifests.
    """
    place, report = workspace.locate(root), Report()

    def compare(plan: Plan) -> None:
        rpm = placement.existing(plan, place)
        lists, targets = load.manifests(root, plan), load.manifest_files(root, plan)
        for name, file, paths in zip(plan.file_names, targets, lists, strict=True):
            for finding in files.manifest(_facts(rpm.with_name(name), plan), plan, paths):
                raise CheckError(
                    f"{name} lists other paths than its manifest",
                    detail=finding.got,
                    file=file,
                    hint="if the new list is meant, the same command with --write",
                )
            report.line(f"  {name}: {len(paths)} paths, as in its manifest")

    def build(plan: Plan) -> None:
        make.step(plan, place, report, "package")
        for file in write_all(root, plan, make.step_dirs(plan, place).packages):
            report.line(f"  {file}")

    done = "written" if write else "as in their manifests"
    sequential.run(plans(root, selection), build if write else compare, report, done)


def write_all(root: Path, plan: Plan, packages: Path) -> list[Path]:
    """Write the manifests of a package and its sub-packages in a folder; returns their files.

    They are those of all dists: the links of a build-id are in them, whether this dist has them.
    Raises CheckError for a package without a library.
    """
    targets = load.manifest_files(root, plan)
    for name, file in zip(plan.file_names, targets, strict=True):
        facts = _facts(packages / name, plan)
        paths = [path for path in facts.header.paths if not path.startswith(BUILD_IDS)]
        if name == plan.file_name:
            if not facts.library:
                raise CheckError(f"{name} has no library", expected=str(plan.library), got="none")
            paths = sorted([*_LINKS, *paths])
        file.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    return targets


def _facts(rpm: Path, plan: Plan) -> Facts:
    with disk.guarded(), temporary("manifest") as scratch:
        return package.read(rpm, scratch, library=plan.library)
