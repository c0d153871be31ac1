"""nginx on the loopback address: how one is started and stopped, and its trial on the library."""

import gzip
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import OK, HTTPConnection, HTTPException
from pathlib import Path
from string import Template

from pipeline.model import Trial
from pipeline.model.errors import HostError
from pipeline.smoke import preload
from pipeline.smoke.preload import Assertion, CompletedProgram, LibraryUnderTest, loader_output
from pipeline.smoke.probe import PROBES
from pipeline.system import process, procfs
from pipeline.system.procfs import Process

WORKERS = 2
CONNECTIONS = 8  # at a time
REQUESTS = 26  # for each of them, before the reload and again after it

# Seconds in which workers start or stop; it takes hundredths of one.
TIMEOUT = 10.0

CONFIGURATION = "nginx.conf"
_MODULES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_SBIN_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"

_PAGE = "".join(f"line {n}: {n * n:x} {'mimalloc ' * (n % 7)}\n" for n in range(6000)).encode()
_WARNING = re.compile(r".*\[(?:warn|error|crit|alert|emerg)\].*")
# Printed before the configuration is read, where the user may not write the host's log.
_HARMLESS = "could not open error log file"


def trial(library: LibraryUnderTest, folder: Path) -> Trial:
    """The verdict on nginx: start it, request pages, reload it, request them again, stop it."""
    folder = folder / "nginx"
    template, variables = PROBES / CONFIGURATION, library.variables(folder)
    with (
        reserved_port() as port,
        started(find(), folder, template, {"port": port}, variables) as master,
    ):
        (folder / "served" / "page.txt").write_bytes(_PAGE)
        before = wait_for_workers(master, WORKERS)
        responses = request_all(port, _PAGE)
        master.send_signal(signal.SIGHUP)
        after = wait_for_workers(master, WORKERS, before)
        responses += request_all(port, _PAGE)
        master.send_signal(signal.SIGQUIT)
        with suppress(subprocess.TimeoutExpired):
            master.wait(TIMEOUT)
        exit_code = master.returncode  # None where it still runs
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    program = CompletedProgram(exit_code, "", log, loader_output(folder))
    processes = _mapped_files(before), _mapped_files(after)
    return preload.verdict("nginx", nginx_assertions(library, program, responses, *processes))


def nginx_assertions(
    library: LibraryUnderTest,
    program: CompletedProgram,
    responses: Counter[str],
    before: Mapping[str, Collection[str]],
    after: Mapping[str, Collection[str]],
) -> list[Assertion]:
    """What must hold of master and workers, the strongest evidence first.

    ``program`` is the master, with the log as its error output. ``before`` and ``after`` the
    reload: its processes, and the files that they have mapped.
    """
    names = ", ".join(["master", *(f"worker {n + 1}" for n in range(WORKERS))])
    counted = ", ".join(f"{count} x {text}" for text, count in sorted(responses.items()))
    half = CONNECTIONS * REQUESTS
    warnings = [line for line in _WARNING.findall(program.errors) if _HARMLESS not in line]
    return [
        *preload.on_library(program, library),
        Assertion("processes", names, ", ".join(before)),
        Assertion("processes after a reload, the workers new", names, ", ".join(after)),
        preload.mapped(before, library.path),
        preload.mapped(after, library.path),
        preload.logged(program.errors, "process done", 1 + 2 * WORKERS),
        Assertion("responses", f"{half} x page gzip, {half} x page identity", counted),
        Assertion("warnings in its log", "none", "; ".join(warnings) or "none"),
    ]


def _mapped_files(processes: Sequence[Process]) -> dict[str, list[str]]:
    """The files that the code of master and workers is mapped from, by the name of the process."""
    names = ["master", *(f"worker {number}" for number in range(1, len(processes)))]
    files = [[file.path for file in process.mapped or ()] for process in processes]
    return dict(zip(names, files, strict=False))


def request_all(port: int, page: bytes) -> Counter[str]:
    """Request a page over several connections, compressed every other time; count the responses.

    A right response is ``page identity`` or ``page gzip``; others are described by their status
    and encoding, or by the error that ended the request.
    """

    def request(number: int) -> str:
        headers = {"Accept-Encoding": "gzip" if number % 2 else "identity"}
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("GET", "/page.txt", headers=headers)
                response = connection.getresponse()
                body, encoding = response.read(), response.getheader("Content-Encoding", "identity")
            content = gzip.decompress(body) if encoding == "gzip" else body
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        right = response.status == OK and content == page
        return f"{'page' if right else f'{response.status}, another page,'} {encoding}"

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return Counter(pool.map(request, range(CONNECTIONS * REQUESTS)))


def find() -> str:
    """The path of the host's nginx. Raises HostError where there is none."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN_FOLDERS}")
    if not program:
        raise HostError("no nginx on this host to run on the library", hint="invoke doctor")
    return program


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port of the loopback address; bound while in use, so that nobody else gets it."""
    with socket.socket() as reservation:
        # nginx sets it too, and so can bind the same port.
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        yield reservation.getsockname()[1]


@contextmanager
def started(
    program: str | Path,
    folder: Path,
    template: Path,
    values: Mapping[str, object],
    variables: Mapping[str, str],
    under: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """The master of an nginx in a new folder, with its ``log``; it is ended with the block.

    The template becomes its configuration with the values, the variables are its environment. The
    caller fills ``served``. Temporary files are in the folder too, and not where the host's nginx
    has them. Workers of root run as root: nobody else can read the folder. ``under`` is the command
    of a program that runs it.
    """
    for name in ("served", "temporary"):
        (folder / name).mkdir(parents=True)
    _, _, version = process.attempt([program, "-V"], timeout=TIMEOUT)
    temporary = [
        f"{module}_temp_path temporary/{module};"
        for module in _MODULES
        if f"--without-http_{module}_module" not in version
    ]
    text = Template(template.read_text(encoding="utf-8")).substitute(
        values,
        # nginx warns of the directive where it is not started by root.
        user="user root root;" if os.geteuid() == 0 else "",
        temporary="\n    ".join(temporary),
    )
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")
    argv = [*under, program, "-p", f"{folder}/", "-c", CONFIGURATION]
    with process.running(argv, log=folder / "log", env=variables) as master:
        yield master


def wait_for_workers(
    master: subprocess.Popen[bytes],
    count: int,
    old: Sequence[Process] = (),
    timeout: float = TIMEOUT,
) -> list[Process]:
    """Wait until ``count`` workers run; the answer is the master and the workers by then.

    ``old`` is the answer before a reload: its workers must have ended, and do not count.
    """
    old_workers = {process.pid for process in old[1:]}
    deadline = time.monotonic() + timeout
    while True:
        family = procfs.family(master.pid)
        processes = [process for process in family if process.pid not in old_workers]
        complete = len(processes) == len(family) == 1 + count
        if complete or master.poll() is not None or time.monotonic() > deadline:
            return processes
        time.sleep(0.02)
