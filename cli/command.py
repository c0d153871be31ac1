"""What all tasks share: the checkout, the flags that select packages, the exit codes of errors."""

import functools
import inspect
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task

from pipeline.model.errors import Interrupted, PackagingError, RequestError
from pipeline.system.disk import guarded
from pipeline.system.report import Report

ROOT = Path(__file__).resolve().parents[1]


def values(file: str, key: str) -> tuple[str, ...]:
    """The values of a key in a TOML file, for the help; a parser would take 20 ms of each run."""
    text = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).is_file() else ""
    return tuple(re.findall(rf'^{key} *= "?(\w[\w.]*)"?', text, re.MULTILINE)) or ("unknown",)


PACKAGE = "recipes/package.toml"
(_VERSION,), (_DIST,) = values(PACKAGE, "version"), values(PACKAGE, "dist")
_CORES = len(os.sched_getaffinity(0))

# Those of built packages, then those of a build.
PACKAGE_FLAGS = {
    "version": f"mimalloc release, latest, a comma list, or all (default: {_VERSION})",
    "dist": f"dist such as el7, a comma list, or all (default: {_DIST})",
    "arch": f"architecture, a comma list, or all (default: this host's, {platform.machine()})",
    "flavor": "plain (default) or secure, a comma list, or all",
}
FLAGS = {
    **PACKAGE_FLAGS,
    "toolchain": "zig (default) or native, the host's own compiler",
    "source": "tarball, folder, git repository or URL to take the release from",
    "jobs": f"packages that are built at once (default: the cores, {_CORES})",
    "offline": "use the cache and never the network",
}


# The number of what `--json` prints: it rises when a key goes or means something else.
SCHEMA = 1

_JSON = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False)


def command(
    *, help: dict[str, str] | None = None, json: bool = False, **settings: Any
) -> Callable[[Callable[..., object]], Task[Any]]:
    """A task of invoke, with invoke's settings.

    What a user can cause is printed as a message with its exit code, never as a traceback. With
    ``json`` the task has that flag: it prints the mapping that the body returns, and all else goes
    to the error output.
    """

    def decorate(body: Callable[..., object]) -> Task[Any]:
        @functools.wraps(body)
        def run(*args: Any, json: bool = False, **options: Any) -> None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                # With nohup, SIGHUP is ignored, and stays so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.default_int_handler)
            try:
                _refuse_dry(args)
                with guarded(), redirect_stdout(sys.stderr) if json else nullcontext():
                    result = body(*args, **options)
                if json:
                    _print(result)
            except PackagingError as problem:
                raise _exit(problem, json) from None
            except KeyboardInterrupt:
                hint = "the same command continues"
                message = Interrupted("unfinished results are not used", hint=hint)
                raise _exit(message, json) from None
            except BrokenPipeError:
                # The reader of our output has ended: exit as by SIGPIPE, and flush nothing.
                sys.stderr.close()
                raise Exit(code=128 + signal.SIGPIPE) from None

        texts = dict(help or {})
        if json:
            signature = inspect.signature(body)
            parameters = [*signature.parameters.values(), _JSON]
            run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
            texts["json"] = "print the result as JSON, and all else on standard error"
        return Task(run, help=texts, **settings)

    return decorate


def _print(result: Any) -> None:
    import json

    Report().line(json.dumps({"schema": SCHEMA, **result}, indent=1, default=str))


def _exit(problem: PackagingError, json: bool) -> Exit:
    if json:
        with suppress(PackagingError, BrokenPipeError):  # nobody can read it
            _print({**problem.results, "error": problem.fields()})
    return Exit(str(problem), problem.exit_code)


def _refuse_dry(args: Iterable[Any]) -> None:
    """invoke's own `--dry` would change nothing: it is about shell commands, and we run none."""
    if any(argument.config.run.dry for argument in args if isinstance(argument, Context)):
        raise RequestError(
            "--dry",
            expected="a task alone: it would do all that it does",
            got="a run that writes nothing",
            hint="invoke bump --dry-run shows its plan; invoke list what would be built",
        )


def number(flag: str, text: str) -> int:
    """The number that a flag is set to, 0 if it is left out. Raises RequestError for other text."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}|", text):
        raise RequestError(f"--{flag}", expected="a number of 1 or more", got=text)
    return int(text or 0)
