"""List the programs of this host, those that are missing, and what takes space on the disk."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pipeline.model.errors import HostError
from pipeline.system import disk, temporary, workspace
from pipeline.system.report import Report
from pipeline.toolchain import host_programs

_CLEAN, _EVERYTHING = "invoke clean", "invoke clean --everything"


def run(root: Path) -> dict[str, object]:
    """List programs, pinned tools and disk use. Raises HostError if a needed program is missing.

    The answer is for ``--json``.
    """
    report = Report()
    programs = host_programs.programs(root)
    for program in programs:
        state = program.version if program.path else f"missing; in package {program.package}"
        uses = "" if program.uses == ("-",) else f" ({', '.join(program.uses)})"
        report.line(f"{program.name:<14} {state:<36} {program.purpose}{uses}")
    pinned = host_programs.pinned()
    for name, version in pinned.items():
        report.line(f"{name:<14} {version:<36} pinned in requirements/build.txt")
    used = []
    for what, folder, command in _folders(root):
        if folder.is_dir():
            size = disk.usage(folder)
            report.line(f"{what:<14} {f'{size / 1e6:.0f} MB of disk':<36} {folder} ({command})")
            used.append({"what": what, "path": folder, "bytes": size, "freed_by": command})
    results: dict[str, object] = {
        "programs": [asdict(program) for program in programs],
        "pinned": pinned,
        "disk": used,
    }
    missing = [program.name for program in programs if not program.path and "build" in program.uses]
    if missing:
        hint = "./bootstrap invoke doctor"
        raise HostError(f"missing: {', '.join(missing)}", hint=hint, results=results)
    return results


def _folders(root: Path) -> Iterator[tuple[str, Path, str]]:
    """What takes space: its name, its folder, and how it is removed."""
    place = workspace.locate(root)
    yield "work", place.work.parent, _CLEAN
    yield "packages", place.dist, _EVERYTHING
    yield "repository", root / "repository", "not needed for a build"
    yield "sources", place.cache / "sha256", _EVERYTHING
    yield "compiler cache", place.cache / "zig", _EVERYTHING
    yield "environment", root / ".venv", "rm -r; ./bootstrap makes it again"
    yield "nox", root / ".nox", "rm -r"
    for folder in temporary.abandoned():
        yield "killed run", folder, _CLEAN
