"""Other programs: argument lists, a known environment, output to a log, no orphans."""

import ctypes
import os
import resource
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from pipeline.model.errors import HostError, PackagingError

# What a program gets from the user's environment: where programs are, where temporary files go,
# and how the network is reached. Flags, preloads and locales of the user have no effect.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy")

# The lines of output that an error message shows.
LAST_LINES = 15

# Seconds that a program has to end after SIGTERM.
_KILL_AFTER = 5.0

# The signals that end us.
_TERMINATION = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

Argv = Sequence[str | Path]
Variables = Mapping[str, str]


def environment(extra: Variables | None = None) -> dict[str, str]:
    """The environment of every program that a build starts."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed_on, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}


def cores() -> int:
    """The number of processor cores that programs may use."""
    return len(os.sched_getaffinity(0))


def tie(parent: int) -> None:
    """Let the kernel end this process when its parent ends, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


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
        start = sink.tell()
        output = files.enter_context(stdout.open("wb")) if stdout else sink
        with _started(argv, env, limit, cwd=cwd, stdout=output, stderr=sink) as child:
            child.wait()
        if child.returncode != 0:
            sink.seek(start)
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
    pipe = subprocess.PIPE
    with _started(argv, env, cwd=cwd, stdout=pipe, stderr=pipe) as child:
        try:
            output, errors = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(child)
            output, errors = child.communicate()
    return child.returncode, output.decode(errors="replace"), errors.decode(errors="replace")


@contextmanager
def running(
    argv: Argv, *, log: Path, cwd: Path | None = None, env: Variables | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the block ends; then it and all that it started are ended.

    ``log`` gets the command and its output. Its exit code is for the caller to judge.
    """
    with (
        _opened(argv, log) as sink,
        _started(argv, env, cwd=cwd, stdout=sink, stderr=sink) as child,
    ):
        yield child
        _end(child)


def foreground(argv: Argv, more: Variables) -> int:
    """Run a program on the user's terminal, with the user's environment and ``more`` variables.

    Signals that end us are passed on; Ctrl-C reaches the program by itself. The answer is its exit
    code, as a shell reports it. Raises HostError if it cannot be started.
    """

    def pass_on(number: int, frame: object) -> None:
        if number != signal.SIGINT:
            child.send_signal(number)

    with _signals_blocked():
        child = _start(argv, env={**os.environ, **more})
        before = {number: signal.signal(number, pass_on) for number in _TERMINATION}
    try:
        child.wait()
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


@contextmanager
def _started(
    argv: Argv, env: Variables | None, limit: int | None = None, **settings: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A running program without input; if the block fails or is interrupted, it is ended."""
    # In a session of its own, so that the programs that it starts can be ended with it. Files that
    # Python opens are not inherited anyway, except for locks that are meant to be.
    settings |= {"stdin": subprocess.DEVNULL, "start_new_session": True, "close_fds": False}
    child = None
    try:
        with _signals_blocked():
            child = _start(argv, limit, env=environment(env), **settings)
        yield child
    except BaseException:
        if child:
            _end(child)
        raise


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Let the signals that end us wait; Python loses one whose handler raises while it forks."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start(argv: Argv, limit: int | None = None, **settings: Any) -> subprocess.Popen[bytes]:
    command = [str(argument) for argument in argv]
    prepare = partial(_prepare, os.getpid(), limit)
    try:
        return subprocess.Popen(command, preexec_fn=prepare, **settings)
    except OSError as problem:
        raise HostError(
            f"{command[0]} cannot be started", got=problem.strerror or "", hint="invoke doctor"
        ) from problem


def _prepare(parent: int, limit: int | None) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATION)
    tie(parent)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    for number, timeout in ((signal.SIGTERM, _KILL_AFTER), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


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
