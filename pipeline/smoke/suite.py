"""The smoke test: every program on the library of one package, and the verdict."""

import tempfile
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.smoke import probe, programs, server
from pipeline.smoke.preload import LibraryUnderTest
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, remove
from pipeline.toolchain import emulator

_Run = Callable[[LibraryUnderTest, Path], Trial]


def run(plan: Plan, rpm: Path, workspace: Workspace, report: Report) -> tuple[Trial, ...]:
    """Run every program on the library out of an RPM; a log in the work folder has the results.

    Raises SmokeError with every assertion that does not hold.
    """
    log = workspace.work / "smoke" / f"{plan.nevra}.log"
    remove(log)
    with tempfile.TemporaryDirectory(prefix="mimalloc-smoke-") as scratch:
        folder = Path(scratch)
        library = library_of(plan, payload.unpack(rpm, folder / "package"))
        threads = probe.build("threads", plan, workspace, folder / "package" / "threads", log)
        runs: list[_Run] = [partial(programs.threads, threads)]
        if emulator.runs_here(plan):
            runs += [programs.python, programs.pipeline, server.trial]
        else:
            report.line(f"  this host's own programs are not for {plan.machine.isa}: not tried")
        trials = tuple(_logged(run, library, folder, log, report) for run in runs)
    failed = [trial for trial in trials if not trial.passed]
    if failed:
        path = plan.preload.relative_to("/")
        raise SmokeError(
            f"{len(failed)} of {len(trials)} programs do not run as they should on {rpm.name}",
            detail="\n".join(f"{t.name}: {line}" for t in failed for line in t.output.splitlines()),
            file=log,
            hint=f"rpm2cpio {rpm} | cpio -idm\nLD_DEBUG=libs LD_PRELOAD=$PWD/{path} true",
        )
    return trials


def library_of(plan: Plan, files: Path) -> LibraryUnderTest:
    """The library of an unpacked package, at the path that its users preload."""
    path, runner = payload.place(files, plan.preload), emulator.runner(plan)
    return LibraryUnderTest(path, plan.recipe.mi_version, plan.flavor.level, runner)


def _logged(run: _Run, library: LibraryUnderTest, folder: Path, log: Path, report: Report) -> Trial:
    """Run one program; its result is reported, and logged with its output where it failed."""
    began = time.monotonic()
    trial = run(library, folder)
    seconds, result = time.monotonic() - began, "passed" if trial.passed else "FAILED"
    text = textwrap.indent(trial.output, "    ")
    report.step(trial.name, seconds, "" if trial.passed else result)
    if trial.passed:
        report.line(text)
    else:
        text += f"\noutput:\n{(folder / trial.name / 'log').read_text(errors='replace')}"
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"{trial.name}: {result}\n{text}\n")
    return trial
