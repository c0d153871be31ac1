"""Run a call in a child with little memory and time, and list where it writes."""

import faulthandler
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline.model.errors import PackagingError

# Bytes of memory on top of what the tests use themselves, and CPU seconds.
MEMORY, SECONDS = 384 << 20, 30

# Audit events of changes of the file system, and how many paths come first in their arguments.
_CHANGES = {
    **dict.fromkeys(
        ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.truncate"), 1
    ),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
    **dict.fromkeys(("os.utime", "os.setxattr", "os.removexattr"), 1),
}


class TimeLimitError(BaseException):
    """A call took too long."""


@dataclass(frozen=True)
class Outcome:
    """The result of a call: its answer, an error of ours, or a fault, which must not happen.

    ``outside`` lists the changes of files outside of its folder.
    """

    answer: Any = None
    error: PackagingError | None = None
    fault: str = ""
    outside: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The class of the error, or ``good``."""
        return type(self.error).__name__ if self.error else "good"


@contextmanager
def time_limit(seconds: float = 5.0) -> Iterator[None]:
    """End what takes more CPU time, with an error that no code of ours catches."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def sandboxed(
    call: Callable[[], object], folder: Path, *, memory: int = MEMORY, seconds: int = SECONDS
) -> Outcome:
    """The outcome of a call in a child, which may write to ``folder`` only.

    It is a fault, too, if the child ends without an outcome, such as for lack of time.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _run_child(call, folder.resolve(), writing, memory, seconds)
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        content = source.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code or not content:
        end = signal.Signals(-code).name if code < 0 else str(code)
        return Outcome(fault=f"the child ended with {end}")
    outcome: Outcome = pickle.loads(content)
    return outcome


def _run_child(
    call: Callable[[], object], folder: Path, writing: int, memory: int, seconds: int
) -> None:
    faulthandler.disable()
    outside: list[str] = []
    try:
        os.chdir(folder)
        _limit(memory, seconds)
        active = [True]
        sys.addaudithook(
            lambda event, arguments: outside.extend(
                _outside(event, arguments, folder) if active else ()
            )
        )
        outcome = _outcome(call)
        active.clear()
        outcome.outside.extend(outside)
        with os.fdopen(writing, "wb") as sink:
            sink.write(pickle.dumps(outcome))
        os._exit(0)
    finally:
        os._exit(70)


def _limit(memory: int, seconds: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcome(call: Callable[[], object]) -> Outcome:
    try:
        return Outcome(call())
    except PackagingError as problem:
        return Outcome(error=problem)
    except BaseException:  # noqa: BLE001 - that nothing else comes out is what is tested
        return Outcome(fault=traceback.format_exc(limit=-6))


def _outside(event: str, arguments: Any, root: Path) -> Iterator[str]:
    """The changes of an audit event that are outside of a folder."""
    if event == "open":
        path, mode, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else mode
        paths = [path] if writes and not isinstance(path, int) else []
    else:
        paths = list(arguments[: _CHANGES.get(event, 0)])
        if event == "os.symlink":
            paths = paths[1:]
    for path in paths:
        # `open` follows a link in the last part of a path; all else changes the link itself.
        whole = os.fsdecode(path).rstrip("/")
        folder, name = os.path.split(whole)
        target = Path(os.path.realpath(whole if event == "open" else folder or "."))
        target = target if event == "open" else target / name
        if not target.is_relative_to(root) and target != Path(os.devnull):
            yield f"{event} {target}"
