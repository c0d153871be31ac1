"""Programs that run to their end on the library: python3, a program of many threads, a pipeline."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.model import Trial
from pipeline.smoke import assertions
from pipeline.smoke.assertions import Assertion
from pipeline.smoke.preload import CompletedProgram, LibraryUnderTest
from pipeline.smoke.probe import PROBES

# What the programs compute, whatever the allocator and the machine.
RESULTS = {
    "python3": "84ecf24cb54ac2bfa9c1f083346b26acc60a2daf8a6f419a668a2cd5ed92671f",
    "threads": "381cca5ed7cca78d",
    "pipeline": "67235281ebbe500c400cb9fd79407125d547975f9fffe671917e0a8000df7dd3  -",
}


def python(library: LibraryUnderTest, folder: Path) -> Trial:
    """The host's interpreter, or the one that runs this project."""
    interpreter = shutil.which("python3", path=os.defpath) or sys.executable
    return _probe("python3", [interpreter, "-S", "-B", PROBES / "workload.py"], library, folder)


def threads(program: Path, library: LibraryUnderTest, folder: Path) -> Trial:
    """The compiled probe of many threads."""
    return _probe("threads", [program], library, folder)


def pipeline(library: LibraryUnderTest, folder: Path) -> Trial:
    """A shell and the programs that it starts."""
    program = library.run(["sh", PROBES / "pipeline.sh"], folder / "pipeline")
    return assertions.verdict("pipeline", pipeline_assertions(program, library))


def _probe(name: str, argv: Sequence[str | Path], library: LibraryUnderTest, folder: Path) -> Trial:
    """A program that reports on its own process."""
    program = library.run(argv, folder / name)
    return assertions.verdict(name, probe_assertions(program, name, library))


def probe_assertions(
    program: CompletedProgram, name: str, library: LibraryUnderTest
) -> list[Assertion]:
    """What must hold of a probe: what it reports, and what mimalloc, loader and kernel show."""
    report = dict(line.partition(" ")[::2] for line in program.output.splitlines())
    blocks = report.get("blocks", "0 of 0")
    count = max(int(blocks.rpartition(" ")[2]), 1)
    files = re.findall(r"^maps (.+)$", program.output, re.MULTILINE)
    return [
        Assertion("blocks in mimalloc's heap", f"{count} of {count}", blocks),
        Assertion("mi_version()", str(library.mi_version), report.get("mi_version", "none")),
        *assertions.on_library(program, library),
        assertions.mapped({"the process": files}, library.path),
        assertions.secure_level(program.errors, library.secure_level),
        Assertion("result", RESULTS[name], report.get("result", "none")),
    ]


def pipeline_assertions(program: CompletedProgram, library: LibraryUnderTest) -> list[Assertion]:
    """What must hold of the pipeline, which shuffles and sorts numbers."""
    return [
        # The shell, and the four programs that it starts.
        *assertions.on_library(program, library, processes=5, calls=("free", "malloc")),
        Assertion("result", RESULTS["pipeline"], program.output.strip()),
    ]
