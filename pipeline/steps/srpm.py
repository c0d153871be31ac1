"""The srpm step: the tree as it was tagged, our patches, and a spec that builds by itself."""

import gzip
import os
import shutil
import tarfile
from pathlib import Path

from pipeline.config import load
from pipeline.model import Plan
from pipeline.system.checksum import digest_of_files
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import rpmbuild, spec


def inputs(plan: Plan, root: Path) -> object:
    """Nothing of a machine: all machines of a dist have the same source package."""
    data = (plan.package, plan.recipe, plan.root, plan.variant)
    files = (*load.manifest_files(root, plan), *load.hooks(root, plan))
    return data, rpmbuild.inputs(plan, root), digest_of_files(filter(Path.is_file, files))


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Write the source RPM into the step directory. Raises PackageError with rpmbuild's output."""
    make(plan, dirs.workspace.root, dirs.tree, dirs.folder("srpm"))


def make(plan: Plan, root: Path, tree: Path, folder: Path) -> Path:
    """Make the source RPM of an unpacked release in a folder. Raises PackageError."""
    recipe, sources = plan.recipe, folder / "sources"
    sources.mkdir(parents=True)
    _pack(tree, sources / f"mimalloc-{recipe.version}.tar.gz", recipe.moment)
    for patch in recipe.patch:
        shutil.copyfile(load.patch_file(root, recipe, patch), sources / patch.file)
    for file in load.hooks(root, plan):
        shutil.copyfile(file, sources / file.name)
    spec.write_sources(plan, root, sources)
    for file in sources.iterdir():
        file.chmod(0o644)
        os.utime(file, (recipe.moment, recipe.moment))
    text = spec.render(plan, root, load.manifests(root, plan)[0])
    plan, macros = rpmbuild.for_first_machine(plan), {"_sourcedir": str(sources)}
    return rpmbuild.run(plan, root, folder, text, plan.source_name, macros)


def _pack(tree: Path, archive: Path, moment: int) -> None:
    """Pack a tree below a folder named as the archive: same files and time, same bytes."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime, entry.mode = moment, 0o755 if entry.isdir() else 0o644
        return entry

    top = Path(archive.name.removesuffix(".tar.gz"))
    with (
        archive.open("wb") as output,
        gzip.GzipFile("", "wb", 9, output, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for file in [tree, *sorted(tree.rglob("*"))]:
            tar.add(file, top / file.relative_to(tree), recursive=False, filter=plain)
