"""Other programs: argument lists, a known environment, output to a log, no orphans."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import IO

from pipeline.model.errors import PackagingError
from pipeline.system.program import (
    LONGEST_CALL,
    TERMINATION,
    Argv,
    Program,
    end,
    signals_blocked,
    start,
    wait,
)

Variables = Mapping[str, str]

# What a program gets from the user's environment: where programs are, where temporary files go,
# and how the network is reached. Flags, preloads and locales of the user have no effect.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy")

# The lines of output that an error message shows.
LAST_LINES = 15


def environment(extra: Variables | None = None) -> dict[str, str]:
    """The environment of every program that a build starts."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed_on, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}


def cores() -> int:
    """The number of processor cores that programs may use."""
    return len(os.sched_getaffinity(0))


def run(
    argv: Argv,
    *,
    log: Path,
    error: PackagingError,
    cwd: Path | None = None,
    env: Variables | None = None,
    stdout: Path | None = None,
    limit: int | None = None,
) -> None:
    """Run a program to its end; ``log`` gets the command, ready to paste, and its output.

    ``stdout`` is a file for the standard output, and ``limit`` the largest size in bytes of a file
    that the program writes: it is killed when one exceeds it. Unless the program exits with 0,
    ``error`` is raised, with the log's path and lines of the output.
    """
    with ExitStack() as files:
        sink = files.enter_context(_opened(argv, log))
        before = sink.tell()
        output = files.enter_context(stdout.open("wb")) if stdout else sink
        with Program(
            argv, limit, env=environment(env), cwd=cwd, stdout=output, stderr=sink
        ) as child:
            wait(child)
        if child.returncode != 0:
            sink.seek(before)
            lines = sink.read().decode(errors="replace").splitlines()
            error.got, error.file = _ending(argv, child.returncode), log
            error.detail = "\n".join(_evidence(lines))
            raise error


def read(
    argv: Argv, *, error: PackagingError, cwd: Path | None = None, env: Variables | None = None
) -> str:
    """The standard output of a program; raises ``error`` unless it exits with 0."""
    code, output, errors = attempt(argv, cwd=cwd, env=env)
    if code != 0:
        error.got = _ending(argv, code)
        error.detail = last_lines(errors)
        raise error
    return output


def attempt(
    argv: Argv,
    *,
    cwd: Path | None = None,
    env: Variables | None = None,
    timeout: float | None = None,
) -> tuple[int, str, str]:
    """Exit code, output and error output of a program that may fail.

    A code below 0 is the signal that ended it. After ``timeout`` seconds the program is ended by
    SIGTERM, or by SIGKILL if it ignores that.
    """
    pipe, period = subprocess.PIPE, min(timeout or LONGEST_CALL, LONGEST_CALL)
    with Program(argv, env=environment(env), cwd=cwd, stdout=pipe, stderr=pipe) as child:
        for periods in count(1):
            try:
                output, errors = child.communicate(timeout=period)
                break
            except subprocess.TimeoutExpired:
                if timeout and periods * period >= timeout:
                    end(child)
    return child.returncode, output.decode(errors="replace"), errors.decode(errors="replace")


def running(
    argv: Argv, *, log: Path, cwd: Path | None = None, env: Variables | None = None
) -> Program:
    """A program that runs until the block ends; then it and all that it started are ended.

    ``log`` gets the command and its output. Its exit code is for the caller to judge.
    """
    sink = _opened(argv, log)
    return Program(argv, log=sink, env=environment(env), cwd=cwd, stdout=sink, stderr=sink)


def foreground(argv: Argv, more: Variables) -> int:
    """Run a program on the user's terminal, with the user's environment and ``more`` variables.

    Signals that end us are passed on; Ctrl-C reaches the program by itself. The answer is its exit
    code, as a shell reports it. Raises HostError if it cannot be started.
    """

    def pass_on(number: int, frame: object) -> None:
        if number != signal.SIGINT:
            child.send_signal(number)

    with signals_blocked():
        child = start(argv, env={**os.environ, **more})
        before = {number: signal.signal(number, pass_on) for number in TERMINATION}
    try:
        wait(child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - child.returncode if child.returncode < 0 else child.returncode


def last_lines(output: str) -> str:
    """What an error message shows of a program's output."""
    return "\n".join(output.splitlines()[-LAST_LINES:])


def _opened(argv: Argv, log: Path) -> IO[bytes]:
    """The log, to write to and to read, with the command as its last line."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sink = log.open("a+b")
    sink.write(f"$ {shlex.join(map(str, argv))}\n".encode())
    sink.flush()
    return sink


def _evidence(lines: list[str]) -> list[str]:
    """The last lines, or the first errors if the last lines have none."""
    last = lines[-LAST_LINES:]
    errors = [line for line in lines if "error:" in line]
    return last if any(line in errors for line in last) else errors[:LAST_LINES] or last


def _ending(argv: Argv, code: int) -> str:
    name = Path(argv[0]).name
    if code < 0:
        return f"{name} ended by {signal.Signals(-code).name}"
    return f"{name} exited with {code}"
