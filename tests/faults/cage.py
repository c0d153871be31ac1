"""A child with little memory and little time, which sees what is written, and where."""

from __future__ import annotations

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

# Bytes of memory on top of what the tests use themselves, and seconds of the processor.
MEMORY, SECONDS = 384 << 20, 30

# Python's names of what changes the file system; the paths are what comes first.
_CHANGES = {
    **dict.fromkeys(
        ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.truncate"), 1
    ),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
    **dict.fromkeys(("os.utime", "os.setxattr", "os.removexattr"), 1),
}


class Late(BaseException):
    """A call took too long."""


@dataclass(frozen=True)
class Outcome:
    """What became of a call: its answer, an error of ours, or what must never come out."""

    answer: Any = None
    error: PackagingError | None = None
    fault: str = ""
    strays: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The kind of the error, or ``good``."""
        return type(self.error).__name__ if self.error else "good"


@contextmanager
def bounded(seconds: float = 5.0) -> Iterator[None]:
    """Ends what takes more of the processor's time, with an error that nothing of ours catches."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Late(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def caged(
    call: Callable[[], object], folder: Path, *, memory: int = MEMORY, seconds: int = SECONDS
) -> Outcome:
    """The outcome of a call in a child, which has no business outside of ``room``.

    A child that ends otherwise than by coming back, such as for want of time, is a fault, too.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _act(call, folder.resolve(), writing, memory, seconds)
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        told = source.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code or not told:
        ended = signal.Signals(-code).name if code < 0 else str(code)
        return Outcome(fault=f"the child ended with {ended}")
    found: Outcome = pickle.loads(told)
    return found


def _act(call: Callable[[], object], folder: Path, to: int, memory: int, seconds: int) -> None:
    faulthandler.disable()
    strays: list[str] = []
    try:
        os.chdir(folder)
        _limit(memory, seconds)
        watching = [True]
        sys.addaudithook(lambda event, told: _watch(event, told, folder, strays, watching))
        outcome = _outcome(call)
        watching.clear()
        outcome.strays.extend(strays)
        with os.fdopen(to, "wb") as sink:
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


def _watch(event: str, told: Any, room: Path, strays: list[str], watching: list[bool]) -> None:
    if not watching:
        return
    if event == "open":
        path, mode, flags = told
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else mode
        paths = [path] if writes and not isinstance(path, int) else []
    else:
        paths = list(told[: _CHANGES.get(event, 0)])
        if event == "os.symlink":
            paths = paths[1:]
    for path in paths:
        # Where the last part is a link, `open` writes to what it names; all else changes the link.
        whole = os.fsdecode(path).rstrip("/")
        folder, name = os.path.split(whole)
        place = Path(os.path.realpath(whole if event == "open" else folder or "."))
        place = place if event == "open" else place / name
        if not place.is_relative_to(room) and place != Path(os.devnull):
            strays.append(f"{event} {place}")
