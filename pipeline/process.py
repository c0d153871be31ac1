"""The one door to other programs: argument lists, a known environment, a log, no orphans."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.errors import HostError, PackagingError

# What a program may know of the user's environment: where programs are, where temporary files go,
# and how the network is reached. Flags, preloads and locales of the user stay outside.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy")

LAST_LINES = 15
_KILL_AFTER = 5.0


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every program we start."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    log: Path,
    error: type[PackagingError],
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    stdout: Path | None = None,
    hint: str = "",
) -> None:
    """Run a program to its end; its output joins ``log``, below the command as one can paste it.

    ``stdin`` and ``stdout`` are files to read from and to write to instead. Raises ``error``,
    with the last lines of the output and the log's path, where the program does not exit with 0.
    """
    command = [str(argument) for argument in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a+b") as sink:
        _echo(command, sink)
        start = sink.tell()
        code = _run(command, sink, cwd, environment(env), stdin, stdout)
        sink.seek(start)
        output = sink.read().decode(errors="replace")
    if code != 0:
        raise error(
            what,
            got=_ending(command[0], code),
            file=log,
            detail="\n".join(output.splitlines()[-LAST_LINES:]),
            hint=hint,
        )


def read(
    argv: Sequence[str | Path],
    *,
    error: type[PackagingError],
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """The standard output of a program; raises ``error`` where it does not exit with 0."""
    code, output, complaint = attempt(argv, cwd=cwd, env=env)
    if code != 0:
        lines = complaint.splitlines()[-LAST_LINES:]
        raise error(what, got=_ending(str(argv[0]), code), detail="\n".join(lines))
    return output


def attempt(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> tuple[int, str, str]:
    """Exit code, output and error output of a program that may fail.

    A code below 0 is the signal that ended it. After ``timeout`` seconds that is SIGTERM, and
    SIGKILL where the program does not care.
    """
    command = [str(argument) for argument in argv]
    child = _start(command, subprocess.PIPE, subprocess.PIPE, cwd, environment(env), None)
    try:
        output, complaint = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end(child)
        output, complaint = child.communicate()
    except BaseException:
        _end(child)
        raise
    return child.returncode, output.decode(errors="replace"), complaint.decode(errors="replace")


@contextmanager
def running(
    argv: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the caller works; afterwards it and all that it started have ended.

    Its output joins ``log``, below the command. What its end means is for the caller to judge.
    """
    command = [str(argument) for argument in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        _echo(command, sink)
        child = _start(command, sink, sink, cwd, environment(env), None)
        try:
            yield child
        finally:
            _end(child)


def _echo(command: list[str], sink: IO[bytes]) -> None:
    sink.write(f"$ {shlex.join(command)}\n".encode())
    sink.flush()


def _run(
    command: list[str],
    sink: IO[bytes],
    cwd: Path | None,
    env: dict[str, str],
    stdin: Path | None,
    stdout: Path | None,
) -> int:
    if stdout is None:
        return _wait(_start(command, sink, sink, cwd, env, stdin))
    with stdout.open("wb") as output:
        return _wait(_start(command, output, sink, cwd, env, stdin))


def _wait(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait()
    except BaseException:
        _end(child)
        raise


def _start(
    command: list[str],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    cwd: Path | None,
    env: dict[str, str],
    stdin: Path | None,
) -> subprocess.Popen[bytes]:
    source = stdin.open("rb") if stdin else None
    try:
        # A session of its own, so that the program's children can be ended with it.
        return subprocess.Popen(
            command,
            stdin=source or subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    except OSError as problem:
        if cwd is not None and not cwd.is_dir():
            raise
        raise HostError(
            f"{command[0]} cannot be started",
            got=problem.strerror or "",
            hint="invoke doctor",
        ) from problem
    finally:
        if source:
            source.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    for number, patience in ((signal.SIGTERM, _KILL_AFTER), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _ending(program: str, code: int) -> str:
    name = Path(program).name
    if code < 0:
        return f"{name} ended by {signal.Signals(-code).name}"
    return f"{name} exited with {code}"
