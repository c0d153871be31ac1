"""The source package: the tree as it was tagged, our patches, a spec that builds by itself."""

import gzip
import os
import tarfile
from dataclasses import replace
from pathlib import Path

from pipeline.config import load
from pipeline.model import Plan
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import rpmbuild, spec

_MODE = 0o644


def inputs(plan: Plan, root: Path) -> object:
    """The same for all machines of a dist: with another key, a signed file would be made anew."""
    return (
        *(plan.package, plan.recipe, plan.root, plan.variant, rpmbuild.version()),
        *(spec.templates_digest(root), rpmbuild.attributes_digest(root)),
        load.manifests_digest(root, plan),
    )


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Write the source RPM into the step's room. Raises PackageError with rpmbuild's last lines."""
    folder, root = dirs.folder("srpm"), dirs.workspace.root
    sources = folder / "sources"
    sources.mkdir()
    name = f"mimalloc-{plan.recipe.version}"
    pack(dirs.tree, sources / f"{name}.tar.gz", name, plan.recipe.moment)
    for change in plan.recipe.patch:
        patch = load.patch_file(root, plan.recipe, change)
        (sources / change.file).write_bytes(patch.read_bytes())
    text = spec.render(plan, root, spec.listed(plan, load.manifest(root, plan)), plan.options)
    file = folder / f"{plan.name}.spec"
    file.write_text(text, encoding="utf-8")
    for each in contents(plan, dirs):
        each.chmod(_MODE)
        os.utime(each, (plan.recipe.moment, plan.recipe.moment))
    places = {"_sourcedir": sources, "_srcrpmdir": folder / "rpms"}
    # It is the same for all machines of the dist, so it is always made for the first.
    first = replace(plan, arch=next(iter(plan.root.machine)))
    rpmbuild.run(("-bs",), file, first, root, places, dirs.log("srpm"))


def made(plan: Plan, dirs: StepDirs) -> Path:
    """The RPM that the step has written."""
    return dirs.folder("srpm") / "rpms" / plan.source_name


def contents(plan: Plan, dirs: StepDirs) -> list[Path]:
    """The files that are in it: tarball, patches, spec."""
    folder = dirs.folder("srpm")
    return [folder / f"{plan.name}.spec", *sorted((folder / "sources").iterdir())]


def pack(tree: Path, archive: Path, name: str, moment: int) -> None:
    """Pack a tree below the folder ``name``: the same bytes for the same files and time."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime, entry.mode = moment, 0o755 if entry.isdir() else _MODE
        return entry

    with (
        archive.open("wb") as output,
        gzip.GzipFile("", "wb", 9, output, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as opened,
    ):
        for file in [tree, *sorted(tree.rglob("*"))]:
            below = file.relative_to(tree).as_posix()
            inside = f"{name}/{below}" if file != tree else name
            opened.add(file, inside, recursive=False, filter=plain)
