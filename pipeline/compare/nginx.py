"""An nginx on one allocator under one load: what it serves, its answers, its times, its sizes."""

import contextlib
import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from pipeline.compare.allocators import Allocator
from pipeline.compare.settings import Load, Settings
from pipeline.config.allocators import ALLOCATORS
from pipeline.model.errors import CompareError
from pipeline.smoke import nginx
from pipeline.system import process, procfs
from pipeline.system.procfs import Effort

TEMPLATE = Path(__file__).with_name("nginx.conf")
SCRIPT = Path(__file__).with_name("wrk.lua")

# Seconds between two samples of the sizes, and those that wrk may take beyond its time.
_INTERVAL = 0.1
_GRACE = 30

# A load that has no answer in its time is repeated for twice as long, up to so many seconds.
_PATIENCE = 60

_SITE = """server {{
    listen 127.0.0.1:{http};
    server_name site-{n}.invalid www.site-{n}.invalid;
    location /a/ {{ expires 1h; add_header X-Site "{n}"; }}
    location ~ \\.php$ {{ return 404; }}
}}
"""
_NONE = "no allocator but the C library's"
_RESULT = re.compile(r"^result (\{.+\})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answers:
    """What wrk counts: answers, how many a second, the milliseconds that 50 and 99 % took at most.

    ``refused`` are answers other than 2xx and 3xx, ``broken`` connections that failed.
    """

    count: int
    rate: float
    p50: float
    p99: float
    refused: int
    broken: int


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an nginx at a moment, in KiB: of its largest worker, and the PSS of all."""

    vsz: int
    rss: int
    pss: int
    whole: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """The answers under a load; the sizes before it, the largest of all, and those after it.

    ``cpu`` are the microseconds of processor time that all of nginx takes for an answer, and
    ``faults`` its page faults.
    """

    answers: Answers
    cpu: float
    faults: float
    start: Size
    peak: Size
    idle: Size


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for all allocators: the nginx, the settings, the folder of its content."""

    program: str
    settings: Settings
    content: Path


@dataclass(frozen=True, slots=True)
class Server:
    """A running nginx: its master, the port of each scheme, its allocator and its log."""

    master: subprocess.Popen[bytes]
    ports: Mapping[str, int]
    allocator: Allocator
    log: Path

    def size(self) -> Size:
        """Its size now. Raises CompareError where no worker can be read."""
        processes = procfs.family(self.master.pid)
        workers = [worker for worker in processes[1:] if worker.pss is not None]
        if not workers:
            raise self._error(f"the workers on {self.allocator.name} cannot be read: not as root?")
        largest = max(workers, key=lambda worker: worker.rss)
        whole = sum(member.pss or 0 for member in processes)
        return Size(largest.vsz, largest.rss, largest.pss or 0, whole)

    def check(self) -> None:
        """Raise CompareError unless master and workers have mapped the allocator, and no other."""
        name, library = self.allocator.name, self.allocator.library
        own, processes = str(library.resolve()) if library else "", procfs.family(self.master.pid)
        if len(processes) < 2:
            raise self._error(f"nginx does not run on {name}")
        for member in processes:
            files = {file.path for file in member.mapped or ()}
            mapped = [path for path in files if path == own or ALLOCATORS.match(Path(path).name)]
            if mapped != ([own] if own else []):
                what, got = f"nginx is not on {name}, or not on it alone", ", ".join(sorted(mapped))
                raise self._error(what, expected=own or _NONE, got=got or _NONE)

    def _error(self, what: str, expected: str = "", got: str = "") -> CompareError:
        return CompareError(what, expected=expected, got=got, detail=_last_lines(self.log))


@contextlib.contextmanager
def started(setup: Setup, allocator: Allocator, folder: Path) -> Iterator[Server]:
    """An nginx with all its workers, which are on the allocator before and after."""
    with running(setup, allocator, folder) as server:
        yield server
        server.check()


@contextlib.contextmanager
def running(
    setup: Setup, allocator: Allocator, folder: Path, under: Sequence[str] = ()
) -> Iterator[Server]:
    """An nginx with all its workers, which are on the allocator when they have started.

    ``under`` is the command of a program that runs it, such as valgrind.
    """
    settings, variables = setup.settings, allocator.variables()
    with contextlib.ExitStack() as stack:
        names = ("http", "https", "origin")
        ports = {name: stack.enter_context(nginx.reserved_port()) for name in names}
        sites = "".join(_SITE.format(n=n, **ports) for n in range(settings.sites))
        values = {"workers": settings.workers, "content": setup.content, "sites": sites, **ports}
        run = nginx.started(setup.program, folder, TEMPLATE, values, variables, under)
        server = Server(stack.enter_context(run), ports, allocator, folder / "log")
        nginx.wait_for_workers(server.master, settings.workers, timeout=_PATIENCE)
        server.check()
        yield server


def measure(setup: Setup, allocator: Allocator, load: Load, folder: Path) -> Measurement:
    """Start nginx, put it under the load, let it rest. Raises CompareError where it fails."""
    with started(setup, allocator, folder) as server:
        start = server.size()
        attack(server, replace(load, reload=0), setup.settings.warm)
        answers, effort, sizes = attack(server, load, setup.settings.seconds)
        time.sleep(setup.settings.idle)
        idle = server.size()
    if answers.refused or not answers.count:
        raise CompareError(
            f"nginx on {allocator.name} does not answer as it should ({load.name})",
            expected="answers, and none that refuses",
            got=f"{answers.count}, {answers.refused} refused",
            detail=_last_lines(server.log),
        )
    # The largest of each number; they need not be of the same moment.
    peak = Size(*map(max, zip(*map(astuple, [start, *sizes, idle]), strict=True)))
    cpu, faults = effort.cpu / answers.count * 1e6, effort.faults / answers.count
    return Measurement(answers, cpu, faults, start, peak, idle)


def attack(server: Server, load: Load, seconds: int) -> tuple[Answers, Effort, list[Size]]:
    """Put nginx under a load: the answers, what they have taken, the sizes meanwhile.

    A busy machine may have no answer within the seconds; then it takes longer, and one is enough.
    """
    while True:
        before = procfs.effort(server.master.pid)
        answers, sizes = _answers(server, load, seconds)
        if answers.count or (seconds := 2 * seconds) > _PATIENCE:
            return answers, procfs.effort(server.master.pid) - before, sizes


def _answers(server: Server, load: Load, seconds: int) -> tuple[Answers, list[Size]]:
    """The answers of nginx under a load for so many seconds, and the sizes meanwhile."""
    log = server.log.with_name("wrk.log")
    log.unlink(missing_ok=True)
    argv = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "-s", str(SCRIPT)]
    argv += [word for header in load.headers for word in ("-H", header)]
    argv += [f"{load.scheme}://127.0.0.1:{server.ports[load.scheme]}", "--", *load.paths]
    sizes, began, reloads = list[Size](), time.monotonic(), 0
    with process.running(argv, log=log) as wrk:
        while wrk.poll() is None and (passed := time.monotonic() - began) < seconds + _GRACE:
            with contextlib.suppress(CompareError):
                sizes.append(server.size())
            if passed * load.reload > reloads:
                server.master.send_signal(signal.SIGHUP)
                reloads += 1
            time.sleep(_INTERVAL)
    result = _RESULT.search(log.read_text(encoding="utf-8", errors="replace"))
    if wrk.returncode != 0 or not result:
        what, got = f"wrk fails ({load.name})", f"exit code {wrk.returncode}"
        raise CompareError(what, got=got, detail=_last_lines(log))
    return Answers(**json.loads(result[1])), sizes


def _last_lines(log: Path) -> str:
    return process.last_lines(log.read_text(encoding="utf-8", errors="replace"))


def create_content(folder: Path) -> None:
    """Write what nginx serves, the same each time, and a certificate for it."""
    served = folder / "served"
    served.mkdir(parents=True)
    for kib in (2, 8, 32, 128):
        (served / f"{kib}k.txt").write_text(text(kib * 1024), encoding="ascii")
    for kib in (256, 1024, 4096):
        (served / f"{kib}k.bin").write_bytes(random.Random(kib).randbytes(kib * 1024))
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1".split()
    words += ["-subj", "/CN=localhost"]
    files = ("-keyout", folder / "key.pem", "-out", folder / "certificate.pem")
    error = CompareError("openssl makes no certificate")
    process.run([*words, *files], log=folder / "log", error=error)


def text(size: int) -> str:
    """So many letters, as random words of a small language: gzip packs them about as a page."""
    dice = random.Random(size)
    words = ["".join(dice.choices("abcdefghilmnoprstu", k=dice.randint(2, 9))) for _ in range(400)]
    return " ".join(dice.choices(words, k=size))[:size]
