"""The smoke test: real programs on the library of one package, and the verdict."""

import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.smoke import nginx, preload, probe
from pipeline.smoke.preload import Assertion, CompletedProgram, LibraryUnderTest
from pipeline.smoke.probe import PROBES
from pipeline.system.report import Report
from pipeline.system.temporary import temporary
from pipeline.system.workspace import Workspace, remove
from pipeline.toolchain import emulator

# What the programs compute, whatever the allocator and the machine.
RESULTS = {
    "python3": "84ecf24cb54ac2bfa9c1f083346b26acc60a2daf8a6f419a668a2cd5ed92671f",
    "threads": "381cca5ed7cca78d",
    "pipeline": "67235281ebbe500c400cb9fd79407125d547975f9fffe671917e0a8000df7dd3  -",
}

Run = Callable[[LibraryUnderTest, Path], Trial]


def run(plan: Plan, rpm: Path, workspace: Workspace, report: Report) -> tuple[Trial, ...]:
    """Run every program on the library out of an RPM; a log in the work folder has the results.

    Raises SmokeError with every assertion that does not hold.
    """
    log = log_of(plan, workspace)
    remove(log)
    with temporary("smoke") as folder:
        library = library_of(plan, payload.unpack(rpm, folder / "package"))
        target = folder / "package" / "threads"
        runs = programs(probe.compiled("threads", plan, workspace, target, log))
        if not emulator.runs_here(plan):
            report.line(f"  this host's own programs are not for {plan.machine.isa}: not tried")
            runs = {"threads": runs["threads"]}
        done = tuple(_logged(item, library, folder, log, report) for item in runs.values())
    failed = [trial for trial in done if not trial.passed]
    if failed:
        path = plan.preload.relative_to("/")
        raise SmokeError(
            f"{len(failed)} of {len(done)} programs do not run as they should on {rpm.name}",
            detail="\n".join(f"{t.name}: {line}" for t in failed for line in t.output.splitlines()),
            file=log,
            hint=f"rpm2cpio {rpm} | cpio -idm\nLD_DEBUG=libs LD_PRELOAD=$PWD/{path} true",
        )
    return done


def log_of(plan: Plan, workspace: Workspace) -> Path:
    """The log of the results of one package."""
    return workspace.work / "smoke" / f"{plan.nevra}.log"


def library_of(plan: Plan, files: Path) -> LibraryUnderTest:
    """The library of an unpacked package, at the path that its users preload."""
    path, runner = payload.place(files, plan.preload), emulator.runner(plan)
    return LibraryUnderTest(path, plan.recipe.mi_version, plan.flavor.level, runner)


def programs(threads: Path) -> Mapping[str, Run]:
    """What runs each program, by name; ``threads`` is the compiled probe of many threads."""
    python = shutil.which("python3", path=os.defpath) or sys.executable
    return {
        "threads": partial(_run, "threads", [threads]),
        "python3": partial(_run, "python3", [python, "-S", "-B", PROBES / "workload.py"]),
        "pipeline": partial(_run, "pipeline", ["sh", PROBES / "pipeline.sh"]),
        "nginx": nginx.trial,
    }


def _run(name: str, argv: Sequence[str | Path], library: LibraryUnderTest, folder: Path) -> Trial:
    program = library.run(argv, folder / name)
    return preload.verdict(name, program_assertions(name, program, library))


def program_assertions(
    name: str, program: CompletedProgram, library: LibraryUnderTest
) -> list[Assertion]:
    """What must hold of a program: what it reports, and what mimalloc, loader and kernel show."""
    if name == "pipeline":
        return [
            # The shell, and the four programs that it starts.
            *preload.on_library(program, library, processes=5, calls=("free", "malloc")),
            Assertion("result", RESULTS[name], program.output.strip()),
        ]
    report = dict(line.partition(" ")[::2] for line in program.output.splitlines())
    blocks = report.get("blocks", "0 of 0")
    count = max(int(blocks.rpartition(" ")[2]), 1)
    files = re.findall(r"^maps (.+)$", program.output, re.MULTILINE)
    return [
        Assertion("blocks in mimalloc's heap", f"{count} of {count}", blocks),
        Assertion("mi_version()", str(library.mi_version), report.get("mi_version", "none")),
        *preload.on_library(program, library),
        preload.mapped({"the process": files}, library.path),
        preload.secure_level(program.errors, library.secure_level),
        Assertion("result", RESULTS[name], report.get("result", "none")),
    ]


def _logged(run: Run, library: LibraryUnderTest, folder: Path, log: Path, report: Report) -> Trial:
    """Run one program; its result is reported, and logged with its output where it failed."""
    began = time.monotonic()
    trial = run(library, folder)
    result, text = "passed" if trial.passed else "FAILED", textwrap.indent(trial.output, "    ")
    report.step(trial.name, time.monotonic() - began, "" if trial.passed else result)
    if trial.passed:
        report.line(text)
    else:
        text += f"\noutput:\n{(folder / trial.name / 'log').read_text(errors='replace')}"
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"{trial.name}: {result}\n{text}\n")
    return trial
