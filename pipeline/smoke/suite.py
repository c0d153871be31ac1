"""The smoke: every program on the library out of one package, and the verdict."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.smoke import probe, programs, server
from pipeline.smoke.preload import Subject
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace
from pipeline.toolchain import emulator


def run(
    plan: Plan, rpm: Path, folder: Path, workspace: Workspace, log: Path, report: Report
) -> tuple[Trial, ...]:
    """Run every program on the library out of an RPM.

    ``room`` is an empty folder to work in; ``log`` keeps the proofs. Raises SmokeError with every
    claim that does not hold.
    """
    library = subject(plan, payload.unpack(rpm, folder / "package"))
    bench = folder / "probes"
    bench.mkdir()
    threads = probe.build("threads", plan, workspace, bench, log)
    attempts = [lambda: programs.threads(threads, library, folder)]
    if emulator.runs_here(plan):
        attempts += [
            lambda: programs.python(library, folder),
            lambda: programs.pipeline(library, folder),
            lambda: server.trial(library, folder),
        ]
    else:
        report.line(f"  this host's own programs are none of {plan.machine.isa}, and not tried")
    trials = tuple(_told(folder, report, log, attempt) for attempt in attempts)
    judge(plan, rpm, trials, log)
    return trials


def subject(plan: Plan, files: Path) -> Subject:
    """The library of a package, as its users name it."""
    library, runner = payload.place(files, plan.preload), emulator.runner(plan)
    return Subject(library, plan.recipe.mi_version, plan.flavor.level, runner)


def judge(plan: Plan, rpm: Path, trials: Iterable[Trial], log: Path) -> None:
    """Raise SmokeError for the trials that failed, if any did."""
    trials = tuple(trials)
    failed = [trial for trial in trials if not trial.passed]
    if not failed:
        return
    below = plan.package.libraries.relative_to("/") / plan.soname
    raise SmokeError(
        f"{len(failed)} of {len(trials)} programs do not run as they should on {rpm.name}",
        detail="\n".join(f"{t.name}: {line}" for t in failed for line in t.output.splitlines()),
        file=log,
        hint=f"rpm2cpio {rpm} | cpio -idm\nLD_DEBUG=libs LD_PRELOAD=$PWD/{below} true",
    )


def _told(folder: Path, report: Report, log: Path, attempt: Callable[[], Trial]) -> Trial:
    began = time.monotonic()
    trial = attempt()
    report.step(trial.name, time.monotonic() - began, "" if trial.passed else "FAILED")
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"{trial.name}: {'passed' if trial.passed else 'FAILED'}\n")
        sink.writelines(f"  {line}\n" for line in trial.output.splitlines())
        for file in [] if trial.passed else sorted(folder.glob(f"{trial.name}*/log")):
            sink.write(f"{file.parent.name} has said:\n{file.read_text(errors='replace')}\n")
    if trial.passed:
        for line in trial.output.splitlines():
            report.line(f"    {line}")
    return trial
