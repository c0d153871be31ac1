"""What all tasks share: the checkout, the flags that select packages, the way out of a failure."""

import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from invoke.exceptions import Exit

from pipeline.model.errors import Interrupted, PackagingError

ROOT = Path(__file__).resolve().parents[1]

FLAGS = {
    "version": "mimalloc release, a comma list, or all (default: see recipes/package.toml)",
    "dist": "dist such as el7, a comma list, or all (default: see recipes/package.toml)",
    "arch": "architecture, a comma list, or all (default: this host's)",
    "flavor": "plain (default) or secure, a comma list, or all",
    "toolchain": "zig (default) or native, the host's own compiler",
    "source": "tarball, folder, git repository or URL to take the release from",
    "jobs": "packages that are made at once (default: as many as there are cores)",
    "offline": "use the cache and never the network",
}


# Those of them that select built packages.
PACKAGE_FLAGS = {name: FLAGS[name] for name in ("version", "dist", "arch", "flavor")}


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Print what a user can cause as a message with its exit code, never as a traceback."""

    @functools.wraps(body)
    def guarded(*args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # What nohup has set to be ignored stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _terminated)
        try:
            body(*args, **options)
        except PackagingError as problem:
            raise Exit(str(problem), problem.exit_code) from None
        except KeyboardInterrupt:
            ended = Interrupted("nothing half-made was kept", hint="the same command goes on")
            raise Exit(str(ended), ended.exit_code) from None
        except BrokenPipeError:
            # Whoever read our output has gone; so do we, as if by SIGPIPE, with nothing to flush.
            sys.stderr.close()
            raise Exit(code=128 + signal.SIGPIPE) from None

    return guarded


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
