"""The package step: let rpmbuild wrap up the staged files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pipeline import rpmbuild, spec
from pipeline.errors import PackageError
from pipeline.model import Plan, Switched
from pipeline.report import Report
from pipeline.workspace import Site, place

_MODE = ("-bb", "--with", "prebuilt")


def run(plan: Plan, site: Site, report: Report) -> None:
    """Write the RPMs into the step's room. Raises PackageError with rpmbuild's last lines."""
    room, root = site.room("package"), site.workspace.root
    text = spec.render(plan, root, spec.staged(plan, site.stage), plan.options)
    file = _written(text, room, plan)
    places = {"_rpmdir": site.packages, "staged": site.stage}
    with ThreadPoolExecutor(1) as pool:
        switched = plan.switched
        beside = pool.submit(_switch, plan, switched, site, text) if switched else None
        rpmbuild.run(_MODE, file, plan, root, places, site.log("package"))
        _there(site.packages / plan.file_name, site.log("package"))
        if beside and switched:
            place(beside.result(), site.packages / switched.file_name)


def _switch(plan: Plan, switched: Switched, site: Site, text: str) -> Path:
    """The sub-package, packed on a platform of no machine.

    rpm writes one platform into all that it packs at once, and a number of the machine before it:
    so a package for all machines would differ from one to the other.
    """
    room = site.room("package") / "switch"
    room.mkdir()
    places = {"_rpmdir": room / "rpms", "staged": site.stage}
    platform = plan.package.platform.format(arch=switched.arch)
    file, log = _written(text, room, plan), room / "log"
    first = replace(plan, arch=next(iter(plan.root.machine)))
    rpmbuild.run(_MODE, file, first, site.workspace.root, places, log, platform=platform)
    return _there(room / "rpms" / switched.file_name, log)


def _there(rpm: Path, log: Path) -> Path:
    """A package that was written: a wrapper in rpmbuild's place may have left that out."""
    if not rpm.is_file():
        raise PackageError(f"rpmbuild has not written {rpm.name}", file=log, hint="invoke doctor")
    return rpm


def _written(text: str, room: Path, plan: Plan) -> Path:
    file = room / f"{plan.name}.spec"
    file.write_text(text, encoding="utf-8")
    return file
