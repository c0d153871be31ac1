"""The drop-in that switches a service on, for administrators who write the file by hand."""

import re
from pathlib import Path

from pipeline.build import selection
from pipeline.model import Selection
from pipeline.model.errors import RequestError
from pipeline.system.report import Report
from pipeline.toolchain import spec

# systemd.unit(5): the types of units, and the characters of their names.
_TYPES = "service socket device mount automount swap target path timer slice scope".split()
_NAME = re.compile(r"(?!@)[A-Za-z0-9:_.\\@-]+")


def run(root: Path, unit: str, selected: Selection) -> None:
    """Print the content of the drop-in of a service, and nothing else, so that it can be a file."""
    plan = selection.single(root, selected, "a service runs on one library")
    Report().line(spec.dropin(plan, root, service(unit)).rstrip("\n"))


def service(unit: str) -> str:
    """The full name of a service, a template or an instance. Raises RequestError for others.

    As systemctl does, ``.service`` is added to a name that does not end with a type of unit:
    ``php8.2-fpm`` is ``php8.2-fpm.service``.
    """
    stem, dot, suffix = unit.rpartition(".")
    if not dot or suffix not in _TYPES:
        stem, suffix = unit, "service"
    if suffix != "service" or not _NAME.fullmatch(stem):
        got = f"a {suffix} unit, {unit}" if suffix != "service" else unit
        raise RequestError("--unit", expected="the name of a service", got=got)
    return f"{stem}.service"
