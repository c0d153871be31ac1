"""A program in our own place: the user's terminal, input, output and environment are its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    try:
        child = subprocess.Popen(
            command, env={**os.environ, **more}, preexec_fn=partial(tie, os.getpid())
        )
    except OSError as problem:
        raise HostError(f"{command[0]} cannot be started", got=problem.strerror or "") from problem
    with _signals_for(child):
        code = child.wait()
    return 128 - code if code < 0 else code


@contextmanager
def _signals_for(child: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
