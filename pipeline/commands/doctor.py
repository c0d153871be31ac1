"""List the programs of this host that a build needs, and those that are missing."""

from pathlib import Path

from pipeline.model.errors import HostError
from pipeline.system.report import Report
from pipeline.toolchain import host_programs


def run(root: Path) -> None:
    """List programs and pinned tools. Raises HostError if a needed program is missing."""
    report = Report()
    programs = host_programs.programs(root)
    for program in programs:
        state = program.version if program.path else f"missing; in package {program.package}"
        uses = "" if program.uses == ("-",) else f" ({', '.join(program.uses)})"
        report.line(f"{program.name:<14} {state:<36} {program.purpose}{uses}")
    for name, version in host_programs.pinned().items():
        report.line(f"{name:<14} {version:<36} pinned in requirements/build.txt")
    missing = [program.name for program in programs if not program.path and "build" in program.uses]
    if missing:
        raise HostError(f"missing: {', '.join(missing)}", hint="./bootstrap invoke doctor")
