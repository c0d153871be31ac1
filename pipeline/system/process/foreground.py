"""A program in our own place: the user's terminal, input, output and environment are its own."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from pipeline.model.errors import HostError
from pipeline.system.process.child import tie

# What asks us to end, and is passed on. Ctrl-C reaches the program by itself.
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def foreground(argv: Sequence[str | Path], more: Mapping[str, str]) -> int:
    """Run a program to its end, with some variables more; its exit code, as a shell has it.

    Raises HostError where it cannot be started.
    """
    command = [str(word) for word in argv]
    with _passing_on() as meet:
        try:
            child = subprocess.Popen(
                command, env={**os.environ, **more}, preexec_fn=partial(tie, os.getpid())
            )
        except OSError as problem:
            reason = problem.strerror or ""
            raise HostError(f"{command[0]} cannot be started", got=reason) from problem
        meet(child)
        code = child.wait()
    return 128 - code if code < 0 else code


@contextmanager
def _passing_on() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Yields a function to be told of the program; signals that come before it are kept for it."""
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if running:
            running[0].send_signal(number)
        else:
            early.append(number)

    def meet(child: subprocess.Popen[bytes]) -> None:
        running.append(child)
        for number in early:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield meet
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
