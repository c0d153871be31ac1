"""The drop-in that switches a service on, for administrators who write the file by hand."""

from pathlib import Path

from pipeline.build import selection
from pipeline.model import Selection
from pipeline.system.report import Report
from pipeline.toolchain import spec


def run(root: Path, unit: str, selected: Selection) -> None:
    """Print the content of the drop-in of a service, and nothing else, so that it can be a file.

    A warning about PHP is on the error output. Raises RequestError for what is no service.
    """
    plan = selection.single(root, selected, "a service runs on one library")
    report = Report()
    text, warning = spec.dropin(plan, root, unit)
    report.line(text.rstrip("\n"))
    if warning:
        report.aside(warning)
