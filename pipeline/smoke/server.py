"""nginx on the library: master and workers, many requests, a reload, a graceful stop."""

import gzip
import re
import signal
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import OK, HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from pipeline.model import Trial
from pipeline.smoke import assertions, nginx
from pipeline.smoke.assertions import Assertion
from pipeline.smoke.preload import CompletedProgram, LibraryUnderTest, loader_output
from pipeline.smoke.probe import PROBES
from pipeline.system import process
from pipeline.system.procfs import Process

WORKERS = 2

CONNECTIONS = 8
REQUESTS = 26  # over each connection, before the reload and again after it

_PAGE = "".join(f"line {n}: {n * n:x} {'mimalloc ' * (n % 7)}\n" for n in range(6000)).encode()
_WARNING = re.compile(r".*\[(?:warn|error|crit|alert|emerg)\].*")
# Printed before the configuration is read, where the user may not write the host's log.
_HARMLESS = "could not open error log file"


@dataclass(frozen=True, slots=True)
class NginxRun:
    """What was observed of an nginx from its start to its stop.

    ``before`` and ``after`` the reload: its processes, and the files that they have mapped.
    ``program`` is the master, with the log as its error output.
    """

    before: Mapping[str, Collection[str]]
    after: Mapping[str, Collection[str]]
    responses: Counter[str]
    program: CompletedProgram


def trial(library: LibraryUnderTest, folder: Path) -> Trial:
    """The verdict on nginx on the library."""
    run = serve(library, folder / "nginx")
    return assertions.verdict("nginx", nginx_assertions(run, library))


def nginx_assertions(run: NginxRun, library: LibraryUnderTest) -> list[Assertion]:
    """What must hold of master and workers, the strongest evidence first."""
    names = ", ".join(["master", *(f"worker {n + 1}" for n in range(WORKERS))])
    of_each = CONNECTIONS * REQUESTS
    responses, expected = (
        ", ".join(f"{count} x {response}" for response, count in sorted(counts.items()))
        for counts in (run.responses, dict.fromkeys(("page gzip", "page identity"), of_each))
    )
    warnings = [line for line in _WARNING.findall(run.program.errors) if _HARMLESS not in line]
    return [
        *assertions.on_library(run.program, library),
        Assertion("processes", names, ", ".join(run.before)),
        Assertion("processes after a reload, the workers new", names, ", ".join(run.after)),
        assertions.mapped(run.before, library.path),
        assertions.mapped(run.after, library.path),
        assertions.logged(run.program.errors, "process done", 1 + 2 * WORKERS),
        Assertion("responses", expected, responses),
        Assertion("warnings in its log", "none", "; ".join(warnings) or "none"),
    ]


def serve(library: LibraryUnderTest, folder: Path) -> NginxRun:
    """Start nginx in ``folder``, request pages, reload it, request them again, stop it."""
    program, log = nginx.find(), folder / "log"
    with nginx.reserved_port() as port:
        nginx.prepare(folder, program, PROBES / nginx.CONFIGURATION, {"port": port})
        (folder / "served" / "page.txt").write_bytes(_PAGE)
        command = library.start(nginx.command(program, folder), folder)
        with process.running(command.argv, log=log, env=command.env) as master:
            before = nginx.wait_for_workers(master, WORKERS)
            responses = request_all(port, _PAGE)
            master.send_signal(signal.SIGHUP)
            after = nginx.wait_for_workers(master, WORKERS, before)
            responses += request_all(port, _PAGE)
            exit_code = nginx.stop(master)
    text = log.read_text(encoding="utf-8", errors="replace")
    ended = CompletedProgram(exit_code, "", text, loader_output(folder))
    return NginxRun(_mapped_files(before), _mapped_files(after), responses, ended)


def _mapped_files(processes: Sequence[Process]) -> dict[str, list[str]]:
    """The files that the code of master and workers is mapped from, by the name of the process."""
    names = ["master", *(f"worker {number}" for number in range(1, len(processes)))]
    files = [[file.path for file in process.mapped or ()] for process in processes]
    return dict(zip(names, files, strict=False))


def request_all(port: int, page: bytes) -> Counter[str]:
    """Request a page over all connections, compressed every other time; the responses, counted.

    A right response is ``page identity`` or ``page gzip``; others are described by their status
    and encoding, or by the error that ended the requests.
    """
    responses = Counter[str]()
    with ExitStack() as stack:
        connections = [HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(CONNECTIONS)]
        for connection in connections:
            stack.enter_context(closing(connection))
        try:
            for number in range(REQUESTS):
                encoding = "gzip" if number % 2 else "identity"
                for connection in connections:
                    connection.request("GET", "/page.txt", headers={"Accept-Encoding": encoding})
                responses.update(_described(item.getresponse(), page) for item in connections)
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            responses[f"{type(error).__name__}: {error}"] += 1
    return responses


def _described(response: HTTPResponse, page: bytes) -> str:
    body, encoding = response.read(), response.getheader("Content-Encoding", "identity")
    content = gzip.decompress(body) if encoding == "gzip" else body
    right = response.status == OK and content == page
    return f"{'page' if right else f'{response.status}, another page,'} {encoding}"
