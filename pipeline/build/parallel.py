"""Many packages at once: each in a process of its own, with its news on a pipe to ours."""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from pipeline.build.progress import Progress, Result
from pipeline.model import Built, Plan
from pipeline.model.errors import HostError, PackagingError
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.toolchain import emulator

# What is done for one plan: a package is made, or a step's room; news go to the report.
Act = Callable[[Plan, Report], Built | Path]

# Seconds after which what is shown of running builds is drawn anew.
_BEAT = 0.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one plan, after how many seconds."""

    plan: Plan
    seconds: float
    result: Result

    @property
    def problem(self) -> PackagingError | None:
        """What went wrong, if anything did."""
        return self.result if isinstance(self.result, PackagingError) else None


@dataclass(slots=True)
class _Worker:
    """A plan in the making."""

    plan: Plan
    process: BaseProcess
    began: float = field(default_factory=time.monotonic)


class _Relay(Report):
    """Sends the news of one package to the process that shows them all."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def line(self, text: str) -> None:
        self._pipe.send(("line", text.strip()))

    def begin(self, name: str) -> None:
        self._pipe.send(("begin", name))

    def step(self, name: str, seconds: float | None, note: str = "") -> None:
        """Told in the line of the whole package."""

    def wait(self, name: str, reason: str) -> None:
        self._pipe.send(("begin", f"{name}, waiting"))

    @contextmanager
    def download(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        yield lambda _: None


def run(plans: Sequence[Plan], act: Act, jobs: int, progress: Progress) -> list[Outcome]:
    """Act on every plan, ``jobs`` at a time, whatever becomes of the others; outcomes as planned.

    However it ends, no process that was started is left.
    """
    waiting, crew, outcomes = deque(order(plans)), dict[Connection, _Worker](), list[Outcome]()
    try:
        while waiting or crew:
            while waiting and len(crew) < jobs:
                pipe, worker = _start(waiting.popleft(), act)
                crew[pipe] = worker
                progress.begin(worker.plan)
            ready = wait(list(crew), timeout=_BEAT)
            for pipe in [pipe for pipe in crew if pipe in ready]:
                outcome = _listen(pipe, crew[pipe], progress)
                if outcome:
                    del crew[pipe]
                    outcomes.append(outcome)
                    progress.end(outcome.plan, outcome.seconds, outcome.result)
            progress.draw()
    finally:
        for worker in crew.values():
            worker.process.terminate()
        for worker in crew.values():
            worker.process.join()
    places = [plan.nevra for plan in plans]
    return sorted(outcomes, key=lambda outcome: places.index(outcome.plan.nevra))


def order(plans: Sequence[Plan]) -> list[Plan]:
    """The longest first, and apart from each other those that share what is compiled.

    Packages whose trials are emulated take longest. Those of one release and two dists may share
    a library, and the second would wait for the first; so all releases of one dist come before the
    next dist.
    """
    dists = list(dict.fromkeys(plan.root.dist for plan in plans))
    return sorted(
        plans,
        key=lambda plan: (emulator.runs_here(plan), dists.index(plan.root.dist), plan.arch),
    )


def _start(plan: Plan, act: Act) -> tuple[Connection, _Worker]:
    # Forked, so that what we have read and imported needs no second reading.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    started = context.Process(target=_work, args=(plan, act, theirs, os.getpid()))
    started.start()
    theirs.close()
    return ours, _Worker(plan, started)


def _work(plan: Plan, act: Act, pipe: Connection, parent: int) -> None:
    """The life of a worker; its last news is the result or the problem."""
    try:
        process.tie(parent)
        pipe.send(("end", act(plan, _Relay(pipe))))
    except PackagingError as problem:
        pipe.send(("end", problem))
    except (KeyboardInterrupt, BrokenPipeError):
        return


def _listen(pipe: Connection, worker: _Worker, progress: Progress) -> Outcome | None:
    """Pass on a piece of news; the answer is the outcome, where that was the last."""
    try:
        kind, news = pipe.recv()
    except EOFError:
        kind, news = "end", _lost(worker)
    if kind == "begin":
        progress.step(worker.plan, news)
        return None
    if kind == "line":
        progress.line(worker.plan, news)
        return None
    pipe.close()
    worker.process.join()
    return Outcome(worker.plan, time.monotonic() - worker.began, news)


def _lost(worker: _Worker) -> HostError:
    """A worker that ended without a word."""
    worker.process.join()
    code = worker.process.exitcode or 0
    got = f"exit code {code}"
    if code < 0:
        got = f"ended by {signal.Signals(-code).name}"
    return HostError(
        f"the process that made {worker.plan.nevra} is gone",
        got=got,
        hint="see above, and whether the machine has run out of memory: invoke build --jobs 1 ...",
    )
