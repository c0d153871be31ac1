"""One program: started so that it ends with us, waited for, and ended with all that it started."""

import ctypes
import os
import resource
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from pipeline.model.errors import HostError

Argv = Sequence[str | Path]

# The signals that end us.
TERMINATION = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Seconds that a system call may wait. A signal that arrives after Python has looked for signals and
# before the call does not end the call: it is noticed once that returns.
LONGEST_CALL = 1.0

# Seconds that a program has to end after SIGTERM.
_KILL_AFTER = 5.0

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Program:
    """A program without input, in a ``with`` block: if that fails or is interrupted, it is ended.

    Where it has a ``log`` of its own, the end of the block ends it, too. Not a generator: one that
    a signal interrupts as it yields is left there, and ends nothing.
    """

    def __init__(
        self, argv: Argv, limit: int | None = None, log: IO[bytes] | None = None, **settings: Any
    ) -> None:
        # In a session of its own, so that the programs that it starts can be ended with it. Files
        # that Python opens are not inherited anyway, except for locks that are meant to be.
        settings |= {"stdin": subprocess.DEVNULL, "start_new_session": True, "close_fds": False}
        self._start = partial(start, argv, limit, **settings)
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> subprocess.Popen[bytes]:
        try:
            with signals_blocked():
                self._child = self._start()
        except BaseException as problem:
            self.__exit__(problem)
            raise
        return self._child

    def __exit__(self, *problem: object) -> None:
        child, log = self._child, self._log
        if child and (problem[0] or log):
            end(child)
        for file in (log, *((child.stdout, child.stderr) if child else ())):
            if file:
                file.close()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Let the signals that end us wait; Python loses one whose handler raises while it forks."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def start(argv: Argv, limit: int | None = None, **settings: Any) -> subprocess.Popen[bytes]:
    """Start a program, with Popen's settings. Raises HostError if it cannot be started."""
    command = [str(argument) for argument in argv]
    prepare = partial(_prepare, os.getpid(), limit)
    try:
        return subprocess.Popen(command, preexec_fn=prepare, **settings)
    except OSError as problem:
        raise HostError(
            f"{command[0]} cannot be started", got=problem.strerror or "", hint="invoke doctor"
        ) from problem


def _prepare(parent: int, limit: int | None) -> None:
    # What the kernel sends when we end would wait for a handler of Python, and be lost with it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATION)
    tie(parent)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def tie(parent: int) -> None:
    """Let the kernel end this process when its parent ends, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def wait(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a program."""
    with suppress(OSError):  # before Linux 5.3 Popen looks for the end now and then
        ended = os.pidfd_open(child.pid)
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            while not poll.poll(1000 * LONGEST_CALL):
                continue
        finally:
            os.close(ended)
    while child.returncode is None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(LONGEST_CALL)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    for number, timeout in ((signal.SIGTERM, _KILL_AFTER), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
