"""A program in our own place: the user's terminal, input, output and environment are its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from pipeline.errors import HostError
from pipeline.process.child import tie

# What asks us to end, and is passed on. Ctrl-C reaches the program by itself.
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def foreground(argv: Sequence[str | Path], more: Mapping[str, str]) -> int:
    """Run a program to its end, with some variables more; its exit code, as a shell has it.

    Raises HostError where it cannot be started.
    """
    command = [str(word) for word in argv]
    with _signals() as passed_on:
        try:
            child = subprocess.Popen(
                command, env={**os.environ, **more}, preexec_fn=partial(tie, os.getpid())
            )
        except OSError as problem:
            got = problem.strerror or ""
            raise HostError(f"{command[0]} cannot be started", got=got) from problem
        passed_on.to(child)
        code = child.wait()
    return 128 - code if code < 0 else code


@dataclass(slots=True)
class _PassedOn:
    """Signals on their way to a program; those that came before it was there wait for it."""

    child: subprocess.Popen[bytes] | None = None
    early: list[int] = field(default_factory=list)

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """From here on they go to this program."""
        self.child = child
        for number in self.early:
            child.send_signal(number)

    def take(self, number: int, frame: FrameType | None) -> None:
        """One has come."""
        if self.child:
            self.child.send_signal(number)
        else:
            self.early.append(number)


@contextmanager
def _signals() -> Iterator[_PassedOn]:
    passed_on = _PassedOn()
    before = {number: signal.signal(number, passed_on.take) for number in _PASSED_ON}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield passed_on
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
