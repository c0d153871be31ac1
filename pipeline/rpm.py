"""The package step: let rpmbuild wrap up the staged files."""

from __future__ import annotations

from pipeline import rpmbuild, spec
from pipeline.model import Plan
from pipeline.report import Report
from pipeline.workspace import Site


def run(plan: Plan, site: Site, report: Report) -> None:
    """Write the RPM into the step's room. Raises PackageError with rpmbuild's last lines."""
    room, root = site.room("package"), site.workspace.root
    file = room / f"{plan.name}.spec"
    text = spec.render(plan, root, spec.staged(plan, site.stage), plan.options)
    file.write_text(text, encoding="utf-8")
    places = {"_rpmdir": site.packages, "staged": site.stage}
    mode = ("-bb", "--with", "prebuilt")
    rpmbuild.run(mode, file, plan, root, places, site.log("package"))
