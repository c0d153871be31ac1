"""What all tasks share: the checkout, the flags that select packages, the exit codes of errors."""

import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from invoke.exceptions import Exit
from invoke.tasks import Task

from pipeline.model.errors import Interrupted, PackagingError

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
    """A task of invoke, with invoke's settings, that prints errors as messages."""
    return lambda body: Task(guarded(body), **settings)


def guarded(body: Callable[..., None]) -> Callable[..., None]:
    """Print what a user can cause as a message with its exit code, never as a traceback."""

    @functools.wraps(body)
    def run(*args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # With nohup, SIGHUP is ignored, and stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _terminate)
        try:
            body(*args, **options)
        except PackagingError as problem:
            raise Exit(str(problem), problem.exit_code) from None
        except KeyboardInterrupt:
            message = Interrupted(
                "unfinished results are not used", hint="the same command continues"
            )
            raise Exit(str(message), message.exit_code) from None
        except BrokenPipeError:
            # The reader of our output has ended: exit as by SIGPIPE, with nothing left to flush.
            sys.stderr.close()
            raise Exit(code=128 + signal.SIGPIPE) from None

    return run


def _terminate(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
