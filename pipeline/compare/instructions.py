"""The instructions of nginx for a request, by callgrind: a busy machine does not change them."""

import contextlib
import re
import shutil
import signal
import ssl
import subprocess
from dataclasses import replace
from http.client import OK, HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from pipeline.compare import nginx
from pipeline.compare.allocators import Allocator
from pipeline.compare.nginx import Server, Setup
from pipeline.compare.settings import Load
from pipeline.model.errors import CompareError

# Everything takes fifty times as long under it.
_COUNTER = "valgrind"
_TIMEOUT = 120.0
_TOTAL = re.compile(r"^==\d+== Collected : (\d+)$", re.MULTILINE)


def available() -> bool:
    """Whether this host can count instructions."""
    return bool(shutil.which(_COUNTER))


def per_request(setup: Setup, allocator: Allocator, load: Load, folder: Path) -> float:
    """What nginx executes for each of some requests, one after the other, in user space.

    It is the difference between as many requests and twice as many, so that its start and the
    first of everything are not in it. Raises CompareError where nginx fails.
    """
    count = setup.settings.counted
    # The sites matter to its start only.
    setup = replace(setup, settings=replace(setup.settings, sites=0))
    once, twice = (
        _instructions(setup, allocator, load, folder / str(number), number)
        for number in (count, 2 * count)
    )
    return (twice - once) / count


def _instructions(setup: Setup, allocator: Allocator, load: Load, folder: Path, number: int) -> int:
    """The instructions of master and workers, from their start to their end."""
    folder.mkdir(parents=True)
    under = [_COUNTER, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    under.append(f"--log-file={folder}/counted.%p")
    with nginx.running(setup, allocator, folder / "nginx", under) as server:
        _request(server, load, number)
        server.master.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.master.wait(_TIMEOUT)
    logs = [file.read_text(errors="replace") for file in sorted(folder.glob("counted.*"))]
    totals = [int(match[1]) for log in logs if (match := _TOTAL.search(log))]
    expected = 1 + setup.settings.workers
    if len(totals) != expected:
        what, detail = f"nginx on {allocator.name} cannot be counted ({load.name})", "\n".join(logs)
        raise CompareError(what, expected=f"{expected} counts", got=str(len(totals)), detail=detail)
    return sum(totals)


def _request(server: Server, load: Load, number: int) -> None:
    """Request the paths of a load in turn, over one connection unless its headers close it."""
    headers = dict(header.split(": ", 1) for header in load.headers)
    connection = _connection(load.scheme, server.ports[load.scheme])
    with contextlib.closing(connection):
        for turn in range(number):
            what = f"nginx on {server.allocator.name} does not answer under {_COUNTER}"
            try:
                connection.request("GET", load.paths[turn % len(load.paths)], headers=headers)
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException) as error:
                raise CompareError(what, got=str(error)) from error
            if response.status != OK:
                raise CompareError(what, expected=str(OK), got=str(response.status))


def _connection(scheme: str, port: int) -> HTTPConnection:
    """A connection that is opened again when it was closed; nobody vouches for the certificate."""
    if scheme == "http":
        return HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT, context=context)
