"""The drop-in that switches a unit on, for those who write it by hand."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline import request, spec
from pipeline.errors import RequestError
from pipeline.report import Report

# What systemd.unit(5) allows in a name; only services have an environment that programs start with.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.service")
_SERVICE = ".service"


def run(root: Path, report: Report, *, unit: str, version: str = "", flavor: str = "") -> None:
    """Print the drop-in for a unit: the content of its file, and no more, so that it can be one."""
    plans = request.plans(root, version=version, flavor=flavor)
    if len(plans) > 1:
        got = ", ".join(plan.label for plan in plans)
        raise RequestError("a unit runs on one library", expected="one version", got=got)
    for line in spec.dropin(plans[0], root, named(unit)).splitlines():
        report.line(line)


def named(unit: str) -> str:
    """The whole name of a service. Raises RequestError for what is none."""
    name = unit if "." in unit else f"{unit}{_SERVICE}"
    if not _UNIT.fullmatch(name):
        raise RequestError("--unit", expected="the name of a service", got=unit)
    return name
