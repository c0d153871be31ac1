"""nginx on the library: master and workers, requests, a reload, a graceful stop."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from pipeline import process
from pipeline.errors import HostError
from pipeline.model import Trial
from pipeline.smoke import preload, proofs, visitors
from pipeline.smoke.preload import Subject
from pipeline.smoke.probe import PROBES
from pipeline.smoke.proofs import Claim

WORKERS = 2

# Seconds in which workers must have come, or gone; it takes hundredths of one.
PATIENCE = 10.0

_PAGE = "".join(f"line {n}: {n * n:x} {'mimalloc ' * (n % 7)}\n" for n in range(6000)).encode()
_MODULES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_MORE_PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
_BAD = re.compile(r".*\[(?:warn|error|crit|alert|emerg)\].*")
# Said before the configuration is read, by a user who may not write the host's log.
_HARMLESS = "could not open error log file"


@dataclass(frozen=True, slots=True)
class Served:
    """An nginx that has come and gone.

    ``before`` and ``after`` the reload: its processes, and the files that their code is mapped
    from. ``answers`` are the distinct answers with their counts; ``right`` of ``asked`` requests
    got the page. ``code`` is the master's exit code as text, ``reload`` that of the reload.
    """

    before: dict[str, frozenset[str]]
    after: dict[str, frozenset[str]]
    answers: Mapping[str, int]
    right: int
    asked: int
    reload: str
    code: str
    log: str
    trace: str


def trial(subject: Subject, room: Path) -> Trial:
    """The server on the library, against the server without it."""
    reference = serve(subject.bare(), room / "nginx-without")
    served = serve(subject, room / "nginx")
    evidence = proofs.tail(served.log, process.LAST_LINES)
    return proofs.trial("nginx", claims(served, reference, subject), evidence)


def claims(served: Served, reference: Served, subject: Subject) -> list[Claim]:
    """What must hold of master and workers, the strongest proof first."""
    crew = ", ".join(["master", *(f"worker {n + 1}" for n in range(WORKERS))])
    return [
        proofs.bound("nginx", served.trace, subject),
        Claim("processes", crew, ", ".join(served.before)),
        Claim("processes after a reload, the workers new", crew, ", ".join(served.after)),
        proofs.maps(served.before, subject),
        proofs.maps(served.after, subject),
        proofs.begun(served.log, 1),
        proofs.ended(served.log, 1 + 2 * WORKERS),
        proofs.accepted(served.log),
        Claim(
            f"requests of {served.asked} that got the page", str(served.asked), str(served.right)
        ),
        Claim("answers, as without the library", _shown(reference.answers), _shown(served.answers)),
        Claim("exit code of the reload", "0", served.reload),
        Claim("exit code after a graceful stop", "0", served.code),
        Claim("complaints in its log", "none", "; ".join(complaints(served.log)) or "none"),
    ]


def complaints(log: str) -> list[str]:
    """The lines of an nginx log that are warnings or worse."""
    return [line for line in _BAD.findall(log) if _HARMLESS not in line]


def serve(subject: Subject, folder: Path) -> Served:
    """Start nginx below ``folder``, ask it, reload it, ask it again, stop it."""
    program, log, traces = nginx(), folder / "log", folder / "traces"
    with _port() as port:
        _furnish(folder, program, port)
        argv = [program, "-p", f"{folder}/", "-c", "nginx.conf"]
        begin = preload.start(argv, subject, traces)
        with process.running(begin.argv, log=log, env=begin.env) as master:
            old = _workers(master, frozenset())
            before = _crew(master, old)
            first = visitors.ask(port, "/page.txt", _PAGE)
            reload = preload.attempt([*argv, "-s", "reload"], subject, folder / "reload")
            after = _crew(master, _workers(master, old))
            second = visitors.ask(port, "/page.txt", _PAGE)
            code = _stop(master)
    return Served(
        before,
        after,
        first.answers + second.answers,
        first.right + second.right,
        first.asked + second.asked,
        str(reload.code),
        code,
        log.read_text(encoding="utf-8", errors="replace"),
        "\n".join(preload.told(traces).values()),
    )


def nginx() -> str:
    """The host's nginx. Raises HostError where there is none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:{_MORE_PLACES}")
    if not found:
        raise HostError("no nginx on this host to run on the library", hint="invoke doctor")
    return found


def configuration(built_with: str, port: int, *, root: bool) -> str:
    """The text of nginx.conf, for an nginx that is built with these options.

    Each module keeps temporary files, in a folder of the host's unless told otherwise. Workers of
    root are root's too: the folder that they serve is closed to everybody else.
    """
    temporary = [
        f"{module}_temp_path temporary/{module};"
        for module in _MODULES
        if f"--without-http_{module}_module" not in built_with
    ]
    template = Template((PROBES / "nginx.conf").read_text(encoding="utf-8"))
    return template.substitute(
        user="user root root;" if root else "",
        temporary="\n    ".join(temporary),
        port=port,
    )


@contextmanager
def _port() -> Iterator[int]:
    """A free port of this machine's own address, kept free for us: bound, and never listened on."""
    with socket.socket() as held:
        # Both sides set it (nginx does), so that nginx can bind the port beside us.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _furnish(folder: Path, program: str, port: int) -> None:
    for name in ("served", "temporary", "traces"):
        (folder / name).mkdir(parents=True)
    (folder / "served" / "page.txt").write_bytes(_PAGE)
    _, _, built_with = process.attempt([program, "-V"], timeout=PATIENCE)
    text = configuration(built_with, port, root=os.geteuid() == 0)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")


def _workers(master: subprocess.Popen[bytes], old: frozenset[int]) -> frozenset[int]:
    """The workers, once all are there and no ``old`` one is; or who is there in the end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = proofs.children(master.pid)
        if len(found) == WORKERS and not found & old:
            return found
        if master.poll() is not None or time.monotonic() > deadline:
            return found - old
        time.sleep(0.02)


def _crew(master: subprocess.Popen[bytes], workers: frozenset[int]) -> dict[str, frozenset[str]]:
    names = {"master": master.pid}
    names |= {f"worker {n}": worker for n, worker in enumerate(sorted(workers), 1)}
    return {name: proofs.maps_of(number) for name, number in names.items()}


def _stop(master: subprocess.Popen[bytes]) -> str:
    master.send_signal(signal.SIGQUIT)
    try:
        return str(master.wait(PATIENCE))
    except subprocess.TimeoutExpired:
        return "none: it goes on"


def _shown(answers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {answer}" for answer, count in sorted(answers.items())) or "none"
