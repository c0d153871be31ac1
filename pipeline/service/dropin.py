"""The drop-in that switches a unit on, for those who write it by hand."""

import re
from pathlib import Path

from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.model.errors import RequestError
from pipeline.system.report import Report
from pipeline.toolchain import spec

# What systemd.unit(5) allows in a name; only services have an environment that programs start with.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.service")
_SERVICE = ".service"


def run(root: Path, unit: str, chosen: Selection) -> None:
    """Print the drop-in for a unit: the content of its file, and no more, so that it can be one."""
    plan = selection.one(root, chosen, "a unit runs on one library")
    Report().line(spec.dropin(plan, root, named(unit)).rstrip("\n"))


def named(unit: str) -> str:
    """The whole name of a service. Raises RequestError for what is none."""
    name = unit if "." in unit else f"{unit}{_SERVICE}"
    if not _UNIT.fullmatch(name):
        raise RequestError("--unit", expected="the name of a service", got=unit)
    return name
