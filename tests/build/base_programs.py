"""Command lines of a base system's programs, of programs.toml, run on a library and without one.

The loader writes a trace of every process into a file, which changes no output, and shows which
processes are on the library.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.system import process
from tests.build.enterprise import System

GROUPS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("programs.toml").read_text())
_INPUTS: str = GROUPS.pop("inputs")
PATH = os.defpath

# Seconds after which a command line is ended; each takes one or two at most.
TIMEOUT = 30.0

_LIBRARY = re.compile(r"calling init: (\S*libmimalloc\S*)")
_PROGRAM = re.compile(r"initialize program: (\S+)")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command line ended, and the processes that it has started: with the library or not."""

    code: int
    output: str
    errors: str
    processes: frozenset[tuple[str, bool]]


def make_inputs(folder: Path) -> Path:
    """Make what the command lines read, in an empty folder."""
    variables = {"PATH": PATH, "LC_ALL": "C", "TZ": "UTC"}
    subprocess.run(["sh", "-e", "-c", _INPUTS], cwd=folder, env=variables, check=True)
    return folder


def command_lines(group: str) -> list[str]:
    """The command lines of a group."""
    return [line for line in GROUPS[group]["lines"].splitlines() if line]


def missing(group: str, system: System | None = None) -> list[str]:
    """The programs of a group that this host lacks, or an installation."""
    return [
        name
        for name in GROUPS[group]["programs"]
        if not (system.programs(name) if system else shutil.which(name, path=PATH))
    ]


def run(
    line: str,
    folder: Path,
    inputs: Path,
    library: Path | None = None,
    system: System | None = None,
    timeout: float = TIMEOUT,
) -> Result:
    """Run a command line in a folder of its own, whose path its output does not show.

    In an installation the folder is below its root, and the library is a path in it.
    """
    shutil.copytree(inputs, folder / "home", symlinks=True)
    place = Path("/", folder.relative_to(system.root)) if system else folder
    variables = {
        **({} if system else {"PATH": PATH, "LC_ALL": "C", "TZ": "UTC"}),
        **{"HOME": str(place / "home")},
        **{"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(place / "of")},
        **({"LD_PRELOAD": str(library)} if library else {}),
    }
    if system:
        command = system.command("sh", "-c", f"cd && {line}", **variables)
    else:
        command = ["env", "-i", *map("=".join, variables.items()), "sh", "-c", line]
    code, *texts = process.attempt(command, cwd=folder / "home", timeout=timeout)
    output, errors = (text.replace(str(place), "FOLDER") for text in texts)
    processes = frozenset(_processes(folder, library))
    shutil.rmtree(folder)
    return Result(code, output, errors, processes)


def _processes(folder: Path, library: Path | None) -> Iterator[tuple[str, bool]]:
    """The programs in the traces, and whether the library was initialized in each."""
    for file in folder.glob("of.*"):
        trace = file.read_text(errors="replace")
        program = _PROGRAM.search(trace)
        if program:
            yield Path(program[1]).name, str(library) in _LIBRARY.findall(trace)


def run_all(
    lines: list[str],
    folder: Path,
    inputs: Path,
    library: Path | None,
    system: System | None = None,
) -> list[Result]:
    """Run command lines, several at once, in the order of their results."""
    with ThreadPoolExecutor() as pool:
        places = [folder / str(number) for number in range(len(lines))]
        started = [
            pool.submit(run, line, place, inputs, library, system)
            for line, place in zip(lines, places, strict=True)
        ]
        return [one.result() for one in started]


def differences(line: str, expected: Result, got: Result) -> list[str]:
    """What is not as it should be, with the command line that it is about."""
    found = [
        f"{line}\n    {what}: expected {good!r}, got {bad!r}"
        for what, good, bad in (
            ("exit code", expected.code, got.code),
            ("output", expected.output, got.output),
            ("error output", expected.errors, got.errors),
        )
        if good != bad
    ]
    without = sorted({name for name, is_on in got.processes if not is_on})
    if without or not got.processes:
        found.append(f"{line}\n    not on the library: {', '.join(without) or 'no process seen'}")
    return found
