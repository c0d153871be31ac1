"""The one door to other programs: argument lists, a known environment, a log, no orphans."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from pipeline.model.errors import PackagingError
from pipeline.system.process.child import Program, communicate, end, started, wait

# What a program may know of the user's environment: where programs are, where temporary files go,
# and how the network is reached. Flags, preloads and locales of the user stay outside.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy")

LAST_LINES = 15


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
    limit: int | None = None,
    telling: str = "",
    hint: str = "",
) -> None:
    """Run a program to its end; its output joins ``log``, below the command as one can paste it.

    ``stdin`` and ``stdout`` are files to read from and to write to instead, and ``limit`` is how
    many bytes a file may have that the program writes: one more ends it. Raises ``error``, with the
    last lines of the output and the log's path, where the program does not exit with 0; lines that
    the pattern ``telling`` is found in come before all others.
    """
    command = [str(argument) for argument in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a+b") as sink:
        _echo(command, sink)
        start = sink.tell()
        code = _run(Program(command, environment(env), sink, sink, cwd, stdin, limit), stdout)
        sink.seek(start)
        output = sink.read().decode(errors="replace")
    if code != 0:
        raise error(
            what,
            got=_ending(command[0], code),
            file=log,
            detail="\n".join(_foremost(output.splitlines(), telling)),
            hint=hint,
        )


def read(
    argv: Sequence[str | Path],
    *,
    error: type[PackagingError],
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    hint: str = "",
) -> str:
    """The standard output of a program; raises ``error`` where it does not exit with 0."""
    code, output, complaint = attempt(argv, cwd=cwd, env=env)
    if code != 0:
        lines = complaint.splitlines()[-LAST_LINES:]
        raise error(what, got=_ending(str(argv[0]), code), detail="\n".join(lines), hint=hint)
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
    pipe = subprocess.PIPE
    with started(Program(command, environment(env), pipe, pipe, cwd)) as child:
        try:
            output, complaint = communicate(child, timeout)
        except subprocess.TimeoutExpired:
            end(child)
            output, complaint = child.communicate()
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
        with started(Program(command, environment(env), sink, sink, cwd)) as child:
            yield child
            end(child)


def _foremost(lines: list[str], telling: str) -> list[str]:
    """The last lines, or where there are any, the first of those that tell what is wrong."""
    found = [line for line in lines if telling and re.search(telling, line)]
    return found[:LAST_LINES] or lines[-LAST_LINES:]


def _echo(command: list[str], sink: IO[bytes]) -> None:
    sink.write(f"$ {shlex.join(command)}\n".encode())
    sink.flush()


def _run(program: Program, stdout: Path | None) -> int:
    with ExitStack() as opened:
        if stdout:
            program = replace(program, stdout=opened.enter_context(stdout.open("wb")))
        return wait(opened.enter_context(started(program)))


def _ending(program: str, code: int) -> str:
    name = Path(program).name
    if code < 0:
        return f"{name} ended by {signal.Signals(-code).name}"
    return f"{name} exited with {code}"
