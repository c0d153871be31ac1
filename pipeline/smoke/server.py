"""nginx on the library: master and workers, requests, a reload, a graceful stop."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Trial
from pipeline.smoke import clients, nginx, preload, proofs
from pipeline.smoke.preload import Subject
from pipeline.smoke.probe import PROBES
from pipeline.smoke.proofs import Claim
from pipeline.system import process

WORKERS = 2

_PAGE = "".join(f"line {n}: {n * n:x} {'mimalloc ' * (n % 7)}\n" for n in range(6000)).encode()
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


def trial(subject: Subject, folder: Path) -> Trial:
    """The server on the library, against the server without it."""
    reference = serve(subject.bare(), folder / "nginx-without")
    served = serve(subject, folder / "nginx")
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
    program, log, traces = nginx.nginx(), folder / "log", folder / "traces"
    with nginx.port() as port:
        nginx.furnish(folder, program, PROBES / nginx.CONFIGURATION, {"port": port})
        (folder / "served" / "page.txt").write_bytes(_PAGE)
        argv = nginx.command(program, folder)
        begin = preload.start(argv, subject, traces)
        with process.running(begin.argv, log=log, env=begin.env) as master:
            old = nginx.workers(master, WORKERS)
            before = _crew(master, old)
            first = clients.ask(port, "/page.txt", _PAGE)
            reload = preload.attempt([*argv, "-s", "reload"], subject, folder / "reload")
            after = _crew(master, nginx.workers(master, WORKERS, old))
            second = clients.ask(port, "/page.txt", _PAGE)
            code = nginx.stop(master)
    return Served(
        before,
        after,
        first.answers + second.answers,
        first.right + second.right,
        first.asked + second.asked,
        str(reload.code),
        code,
        log.read_text(encoding="utf-8", errors="replace"),
        "\n".join(preload.loader_output(traces).values()),
    )


def _crew(master: subprocess.Popen[bytes], workers: frozenset[int]) -> dict[str, frozenset[str]]:
    names = {"master": master.pid}
    names |= {f"worker {n}": worker for n, worker in enumerate(sorted(workers), 1)}
    return {name: proofs.maps_of(number) for name, number in names.items()}


def _shown(answers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {answer}" for answer, count in sorted(answers.items())) or "none"
