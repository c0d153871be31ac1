"""A program that we have started: known from its first moment on, and never left behind."""

import ctypes
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from pipeline.model.errors import HostError

# Seconds that a program has to end by itself.
_KILL_AFTER = 5.0

# Seconds that an ended program has to be gone.
_FAREWELL = 0.2

# Seconds after which a signal is seen at the latest.
_BEAT = 0.5

# What asks us to end.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Program:
    """What is started: its command and environment, where, and where its output goes.

    ``limit`` is how many bytes a file may have that it writes.
    """

    argv: list[str]
    env: dict[str, str]
    stdout: IO[bytes] | int
    stderr: IO[bytes] | int
    cwd: Path | None = None
    stdin: Path | None = None
    limit: int | None = None


@contextmanager
def started(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    """A running program; where what is done meanwhile fails or is interrupted, it is ended."""
    child = None
    try:
        with _kept_back():
            child = _start(program)
        yield child
    except BaseException:
        if child:
            end(child)
        raise


@contextmanager
def _kept_back() -> Iterator[None]:
    """Let signals that end us wait: a program that is there must not be unknown to us.

    It is the handlers that wait, and not the signals: any thread may be the one that gets those.
    """
    arrived: list[int] = []
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in _ENDING}
    # What nohup has set to be ignored stays ignored.
    ours = {number: each for number, each in handlers.items() if callable(each)}
    for number in ours:
        signal.signal(number, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for number in arrived:
            signal.raise_signal(number)


def cores() -> int:
    """The processor cores that programs of ours may use."""
    return len(os.sched_getaffinity(0))


def tie(parent: int) -> None:
    """Have the kernel end this process where its parent ends, too suddenly to do it itself."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _begin(parent: int, limit: int | None) -> None:
    tie(parent)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _start(program: Program) -> subprocess.Popen[bytes]:
    source = program.stdin.open("rb") if program.stdin else None
    try:
        # A session of its own, so that the program's children can be ended with it.
        return subprocess.Popen(
            program.argv,
            stdin=source or subprocess.DEVNULL,
            stdout=program.stdout,
            stderr=program.stderr,
            cwd=program.cwd,
            env=program.env,
            start_new_session=True,
            # What Python opens stays with us, but for locks that are meant to be inherited.
            close_fds=False,
            preexec_fn=partial(_begin, os.getpid(), program.limit),
        )
    except OSError as problem:
        if program.cwd is not None and not program.cwd.is_dir():
            raise
        raise HostError(
            f"{program.argv[0]} cannot be started",
            got=problem.strerror or "",
            hint="invoke doctor",
        ) from problem
    finally:
        if source:
            source.close()


def wait(child: subprocess.Popen[bytes]) -> int:
    """The exit code of a program, once it has ended.

    Python acts on a signal between two instructions of its own. One that arrives just before it
    goes to wait would be left lying until the program ends, so we look up now and then.
    """
    try:
        handle = os.pidfd_open(child.pid)
    except OSError:  # an old kernel
        return child.wait()
    try:
        while not select.select([handle], [], [], _BEAT)[0]:
            pass
    finally:
        os.close(handle)
    return child.wait()


def communicate(child: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bytes]:
    """What a program prints until it ends, looking up now and then. Raises TimeoutExpired."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _BEAT if deadline is None else min(_BEAT, deadline - time.monotonic())
        try:
            return child.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            if deadline and time.monotonic() >= deadline:
                raise


def end(child: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    for number, patience in ((signal.SIGTERM, _KILL_AFTER), (signal.SIGKILL, None)):
        if not _signal(child, number):
            return
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    # A large program takes a moment to be gone, also when it was killed.
    deadline = time.monotonic() + _FAREWELL
    while _signal(child, 0) and time.monotonic() < deadline:
        time.sleep(0.005)


def _signal(child: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to a program and all that it started; whether anybody was there."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    return True
