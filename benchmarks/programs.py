"""The workloads as programs of this host: compiled, started, and held to what they print."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import usage
from benchmarks.settings import Workload
from pipeline.model import Plan
from pipeline.model.errors import SmokeError
from pipeline.system.workspace import Workspace

SOURCES = Path(__file__).with_name("workloads")
_COMPILED = "{program}"


@dataclass(frozen=True, slots=True)
class Program:
    """A workload that can be started: its commands for the two sizes, and its environment."""

    name: str
    timed: tuple[str, ...]
    counted: tuple[str, ...]
    env: Mapping[str, str]


def gather(
    workloads: Iterable[Workload], plan: Plan, workspace: Workspace, folder: Path
) -> tuple[list[Program], dict[str, str]]:
    """The programs that are at hand, and why others are not."""
    found, missing = [], dict[str, str]()
    for workload in workloads:
        first = workload.command[0]
        if first == _COMPILED:
            source = SOURCES / f"{workload.name}.c"
            path: str | None = str(usage.compiled(source, plan, workspace, folder))
        else:
            path = shutil.which(first)
        if path:
            found.append(_program(workload, path))
        else:
            missing[workload.name] = f"no {first} on this host"
    return found, missing


def _program(workload: Workload, path: str) -> Program:
    def command(size: int) -> tuple[str, ...]:
        words = {"program": path, "size": size, "sources": SOURCES}
        return (path, *(word.format_map(words) for word in workload.command[1:]))

    return Program(
        workload.name, command(workload.size), command(workload.counted), workload.environment
    )


def hold(program: str, allocator: str, output: str, reference: str) -> None:
    """Raise SmokeError where a program prints something else than on the C library's allocator."""
    if output == reference and reference:
        return
    raise SmokeError(
        f"{program} comes to another result on {allocator}",
        expected=_shown(reference),
        got=_shown(output),
        hint="a workload must always do the same; or the allocator gives out memory twice",
    )


def _shown(output: str) -> str:
    lines = output.splitlines()
    return lines[-1] if lines else "no output"
