"""What all tasks share: the checkout, the flags that select packages, the exit codes of errors."""

import functools
import re
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task

from pipeline.model.errors import Interrupted, PackagingError, RequestError
from pipeline.system.disk import guarded

ROOT = Path(__file__).resolve().parents[1]

# Those of built packages, then those of a build.
PACKAGE_FLAGS = {
    "version": "mimalloc release, a comma list, or all (default: see recipes/package.toml)",
    "dist": "dist such as el7, a comma list, or all (default: see recipes/package.toml)",
    "arch": "architecture, a comma list, or all (default: this host's)",
    "flavor": "plain (default) or secure, a comma list, or all",
}
FLAGS = {
    **PACKAGE_FLAGS,
    "toolchain": "zig (default) or native, the host's own compiler",
    "source": "tarball, folder, git repository or URL to take the release from",
    "jobs": "packages that are built at once (default: as many as there are cores)",
    "offline": "use the cache and never the network",
}


def command(**settings: Any) -> Callable[[Callable[..., None]], Task[Any]]:
    """A task of invoke, with invoke's settings.

    What a user can cause is printed as a message with its exit code, never as a traceback.
    """

    def decorate(body: Callable[..., None]) -> Task[Any]:
        @functools.wraps(body)
        def run(*args: Any, **options: Any) -> None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                # With nohup, SIGHUP is ignored, and stays so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.default_int_handler)
            try:
                _refuse_dry(args)
                with guarded():
                    body(*args, **options)
            except PackagingError as problem:
                raise Exit(str(problem), problem.exit_code) from None
            except KeyboardInterrupt:
                hint = "the same command continues"
                message = Interrupted("unfinished results are not used", hint=hint)
                raise Exit(str(message), message.exit_code) from None
            except BrokenPipeError:
                # The reader of our output has ended: exit as by SIGPIPE, and flush nothing.
                sys.stderr.close()
                raise Exit(code=128 + signal.SIGPIPE) from None

        return Task(run, **settings)

    return decorate


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
