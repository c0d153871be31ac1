"""The drop-in that switches a service on, for administrators who write the file by hand."""

import re
from pathlib import Path

from pipeline.build import selection
from pipeline.model import Selection
from pipeline.model.errors import RequestError
from pipeline.system.report import Report
from pipeline.toolchain import spec

# systemd.unit(5): the other types of units, and the characters of their names, 255 with the type.
_OTHERS = ".socket .device .mount .automount .swap .target .path .timer .slice .scope"
_NAME = re.compile(r"(?!@)[A-Za-z0-9:_.\\@-]{1,247}")


def run(root: Path, unit: str, selected: Selection) -> None:
    """Print the content of the drop-in of a service, and nothing else, so that it can be a file."""
    plan = selection.single(root, selected, "a service runs on one library")
    Report().line(spec.dropin(plan, root, service(unit)).rstrip("\n"))


def service(unit: str) -> str:
    """The full name of a service, a template or an instance. Raises RequestError for others.

    As systemctl does, ``.service`` is added to a name that does not end with a type of unit:
    ``php8.2-fpm`` is ``php8.2-fpm.service``.
    """
    stem = unit.removesuffix(".service")
    if unit.endswith(tuple(_OTHERS.split())) or not _NAME.fullmatch(stem):
        raise RequestError("--unit", expected="the name of a service", got=unit or "nothing")
    return f"{stem}.service"
