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

# Such as php-fpm, php8.2-fpm, php83-php-fpm. The C library of the dist decides, which is not known.
_PHP = re.compile(r"php.*fpm")
_WARNING = """\
On EL9 and later, PHP before 8.5 crashes on a preloaded allocator: leave this unit as it is there.
On EL7 and EL8 it runs. See PHP in docs/administrator.md."""


def run(root: Path, unit: str, selected: Selection) -> None:
    """Print the content of the drop-in of a service, and nothing else, so that it can be a file.

    A warning about PHP is on the error output.
    """
    plan = selection.single(root, selected, "a service runs on one library")
    report, name = Report(), service(unit)
    report.line(spec.dropin(plan, root, name).rstrip("\n"))
    if _PHP.match(name):
        report.aside(_WARNING)


def service(unit: str) -> str:
    """The full name of a service, a template or an instance. Raises RequestError for others.

    As systemctl does, ``.service`` is added to a name that does not end with a type of unit:
    ``php8.2-fpm`` is ``php8.2-fpm.service``.
    """
    stem = unit.removesuffix(".service")
    if unit.endswith(tuple(_OTHERS.split())) or not _NAME.fullmatch(stem):
        raise RequestError("--unit", expected="the name of a service", got=unit or "nothing")
    return f"{stem}.service"
