"""Build several packages at once, each in a process of its own.

An executor of processes does not serve: when one of its workers is killed, all that it has still
to do fails, and with the wrong error.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from pipeline.build.progress import Outcome, Progress, Result
from pipeline.model import Built, Plan
from pipeline.model.errors import HostError, PackagingError
from pipeline.system import program
from pipeline.system.report import Report
from pipeline.toolchain import emulator

# What is done for one plan: a package is made, or a step.
Action = Callable[[Plan, Report], Built | Path]

_REFRESH_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class _Worker:
    """The process that works on a plan, and the pipe that its messages come through."""

    plan: Plan
    process: BaseProcess
    pipe: Connection
    began: float
    step: str = ""


class _PipeReport(Report):
    """Sends the messages about a package to the process that shows them."""

    bars = False

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def line(self, text: str) -> None:
        self._pipe.send(("line", text.strip()))

    def begin(self, name: str) -> None:
        self._pipe.send(("step", name))

    def wait(self, name: str, reason: str = "") -> None:
        self._pipe.send(("step", f"{name}, waiting"))

    def step(self, name: str, seconds: float | None, note: str = "") -> None:
        """Not shown: a package has one line."""


def run(plans: Sequence[Plan], action: Action, jobs: int, progress: Progress) -> list[Outcome]:
    """Do the action for every plan, ``jobs`` at a time; the outcomes are in the plans' order.

    A failure does not stop the others. No process outlives this function, however it ends.
    """
    # First what is emulated, which takes longest. Then dist by dist: packages of one release and
    # two dists may share a library, and the second would wait for the first.
    waiting = sorted(plans, key=lambda plan: (emulator.runs_here(plan), plan.root.dist, plan.arch))
    workers, outcomes = list[_Worker](), dict[str, Outcome]()
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_start(waiting.pop(0), action))
            ready = wait([worker.pipe for worker in workers], timeout=_REFRESH_SECONDS)
            for worker in [worker for worker in workers if worker.pipe in ready]:
                if result := _receive(worker, progress):
                    workers.remove(worker)
                    outcome = Outcome(worker.plan, time.monotonic() - worker.began, result)
                    outcomes[worker.plan.nevra] = outcome
                    progress.end(outcome)
            progress.draw((w.plan.nevra, w.step, time.monotonic() - w.began) for w in workers)
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
    return [outcomes[plan.nevra] for plan in plans]


def _start(plan: Plan, action: Action) -> _Worker:
    # Forked: what we have read and imported is there already.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(plan, action, theirs, os.getpid()))
    child.start()
    theirs.close()
    return _Worker(plan, child, ours, time.monotonic())


def _work(plan: Plan, action: Action, pipe: Connection, parent: int) -> None:
    """The whole of a worker's process; its last message is the result."""
    try:
        program.tie(parent)
        pipe.send(("end", action(plan, _PipeReport(pipe))))
    except PackagingError as problem:
        pipe.send(("end", problem))
    except (KeyboardInterrupt, BrokenPipeError):
        return


def _receive(worker: _Worker, progress: Progress) -> Result | None:
    """Show a message of a worker; the answer is the result, once it has ended."""
    try:
        kind, message = worker.pipe.recv()
    except (EOFError, OSError):
        kind, message = "end", None
    if kind == "step":
        worker.step = message
        return None
    if kind == "line":
        progress.line(f"{worker.plan.nevra}: {message}")
        return None
    worker.pipe.close()
    worker.process.join()
    code = worker.process.exitcode or 0
    result: Result = message or HostError(
        f"the process that built {worker.plan.nevra} has ended without a result",
        got=f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}",
        hint="see the lines above; if memory has run out: invoke build --jobs 1 ...",
    )
    return result
