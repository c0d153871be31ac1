"""Which programs this host has and lacks."""

from pathlib import Path

from pipeline.model.errors import HostError
from pipeline.system.report import Report
from pipeline.toolchain import host_programs


def run(root: Path) -> None:
    """Needed programs, and what the environment pins. Raises HostError where one is missing."""
    report = Report()
    found = host_programs.programs(root)
    for program in found:
        told = program.version if program.path else f"missing; in package {program.package}"
        report.line(f"{program.name:<14} {told:<36} {program.need:<9} {program.purpose}")
    for name, version in host_programs.pinned().items():
        report.line(f"{name:<14} {version:<36} {'needed':<9} pinned in requirements.txt")
    missing = [program for program in found if program.missing and program.need == "needed"]
    if missing:
        raise HostError(
            "missing: " + ", ".join(program.name for program in missing),
            hint="./bootstrap invoke doctor",
        )
