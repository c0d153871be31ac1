"""One load on one allocator, once: how many answers, how late, and how large nginx grew."""

import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.compare import nginx as server
from pipeline.compare.allocators import Allocator
from pipeline.compare.nginx import Running, Size
from pipeline.compare.settings import Load, Settings
from pipeline.model.errors import CompareError, HostError
from pipeline.system import process

WRK = "wrk"
SCRIPT = Path(__file__).with_name("wrk.lua")

# Seconds between two looks at nginx, and those that wrk may take beyond its time.
_BEAT = 0.1
_GRACE = 30

_FIGURES = re.compile(r"^figures (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answers:
    """What wrk has counted: answers a second, milliseconds that half and 99 % waited at the most.

    ``refused`` are answers other than 2xx and 3xx, ``broken`` connections that failed.
    """

    rate: float
    p50: float
    p99: float
    refused: int
    broken: int


@dataclass(frozen=True, slots=True)
class Taken:
    """One load on one allocator: the answers, and the sizes before, at most, and at rest after."""

    answers: Answers
    start: Size
    peak: Size
    idle: Size


def wrk() -> str:
    """The host's wrk. Raises HostError where there is none."""
    found = shutil.which(WRK)
    if not found:
        raise HostError("no wrk on this host to put nginx under load", hint="invoke doctor")
    return found


def once(
    program: str, allocator: Allocator, load: Load, chosen: Settings, folder: Path, served: Path
) -> Taken:
    """Start nginx, put it under the load, let it rest. Raises CompareError where it fails."""
    with server.started(program, allocator, chosen, folder, served) as nginx:
        start = _seen(nginx, allocator)
        attack(nginx, load, chosen.warm)
        with _watched(nginx, load.reload) as most:
            answers = attack(nginx, load, chosen.seconds)
        time.sleep(chosen.idle)
        idle = _seen(nginx, allocator)
        server.prove(nginx, allocator, folder / "log")
    if answers.refused or not answers.rate:
        raise CompareError(
            f"nginx on {allocator.name} does not answer as it should ({load.name})",
            expected="answers, and none that refuses",
            got=f"{answers.rate:.0f} a second, {answers.refused} refused",
            file=folder / "log",
        )
    return Taken(answers, start, _largest([start, *most, idle]), idle)


def attack(nginx: Running, load: Load, seconds: int) -> Answers:
    """Let wrk ask for so many seconds."""
    url = f"{load.scheme}://127.0.0.1:{nginx.ports[load.scheme]}"
    argv = [wrk(), "-t1", f"-c{load.connections}", f"-d{seconds}s", "-s", str(SCRIPT)]
    argv += [word for header in load.headers for word in ("-H", header)]
    code, output, complaint = process.attempt(
        [*argv, url, "--", *load.paths], timeout=seconds + _GRACE
    )
    found = _FIGURES.search(output)
    if code != 0 or not found:
        raise CompareError(f"wrk fails ({load.name})", got=f"exit code {code}", detail=complaint)
    return counted(*map(int, found.groups()))


def counted(requests: int, took: int, p50: int, p99: int, refused: int, broken: int) -> Answers:
    """What wrk's script prints, in our units; its own are microseconds."""
    return Answers(requests * 1e6 / max(took, 1), p50 / 1e3, p99 / 1e3, refused, broken)


def _seen(nginx: Running, allocator: Allocator) -> Size:
    size = nginx.size()
    if size is None:
        raise CompareError(f"the workers on {allocator.name} cannot be looked at", hint="as root?")
    return size


def _largest(sizes: list[Size]) -> Size:
    """The most of each measure; they need not be of the same moment."""
    return Size(
        max(size.vsz for size in sizes),
        max(size.rss for size in sizes),
        max(size.pss for size in sizes),
        max(size.whole for size in sizes),
    )


@contextmanager
def _watched(nginx: Running, reloads: int) -> Iterator[list[Size]]:
    """Look at nginx now and then, and have it load its configuration so often a second."""
    seen: list[Size] = []
    over = threading.Event()

    def watch() -> None:
        due = time.monotonic()
        while not over.wait(_BEAT):
            size = nginx.size()
            seen.extend([size] if size else [])
            if reloads and time.monotonic() >= due:
                nginx.master.send_signal(signal.SIGHUP)
                due += 1 / reloads

    with _thread(watch, over):
        yield seen


@contextmanager
def _thread(body: Callable[[], None], over: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
