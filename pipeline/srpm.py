"""The source package: the tree as it was tagged, our patches, a spec that builds by itself."""

from __future__ import annotations

import gzip
import os
import tarfile
from dataclasses import replace
from pathlib import Path

from pipeline import recipes, rpmbuild, spec
from pipeline.model import Plan
from pipeline.report import Report
from pipeline.workspace import Site

_MODE = 0o644


def run(plan: Plan, site: Site, report: Report) -> None:
    """Write the source RPM into the step's room. Raises PackageError with rpmbuild's last lines."""
    room, root = site.room("srpm"), site.workspace.root
    sources = room / "sources"
    sources.mkdir()
    name = f"mimalloc-{plan.recipe.version}"
    pack(site.tree, sources / f"{name}.tar.gz", name, plan.recipe.moment)
    for change in plan.recipe.patch:
        patch = recipes.patch_file(root, plan.recipe, change)
        (sources / change.file).write_bytes(patch.read_bytes())
    text = spec.render(plan, root, spec.listed(plan, recipes.manifest(root, plan)), plan.options)
    file = room / f"{plan.name}.spec"
    file.write_text(text, encoding="utf-8")
    for each in contents(plan, site):
        each.chmod(_MODE)
        os.utime(each, (plan.recipe.moment, plan.recipe.moment))
    places = {"_sourcedir": sources, "_srcrpmdir": room / "rpms"}
    # It is the same for all machines of the dist, so it is always made for the first.
    first = replace(plan, arch=next(iter(plan.root.machine)))
    rpmbuild.run(("-bs",), file, first, root, places, site.log("srpm"))


def made(plan: Plan, site: Site) -> Path:
    """The RPM that the step has written."""
    return site.room("srpm") / "rpms" / plan.source_name


def contents(plan: Plan, site: Site) -> list[Path]:
    """The files that are in it: tarball, patches, spec."""
    room = site.room("srpm")
    return [room / f"{plan.name}.spec", *sorted((room / "sources").iterdir())]


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
