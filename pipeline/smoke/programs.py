"""Programs that run to their end on the library: python3, a program of many threads, a pipeline."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.model import Trial
from pipeline.smoke import preload, proofs
from pipeline.smoke.preload import Ran, Subject
from pipeline.smoke.probe import PROBES
from pipeline.smoke.proofs import Claim
from pipeline.system import process

# The shell of the pipeline, and its four members.
MEMBERS = 5

# What each member surely asks for; the others differ with the host's programs.
MEMBER_NEEDS = ("free", "malloc")

# What a probe exits with where it works, but not on mimalloc.
_ELSEWHERE = 2


def python(subject: Subject, folder: Path) -> Trial:
    """The host's interpreter, with each of its objects asked for by malloc."""
    argv: list[str | Path] = [interpreter(), "-S", "-B", PROBES / "workload.py"]
    return _probe("python3", argv, subject, folder, {"PYTHONMALLOC": "malloc"})


def threads(program: Path, subject: Subject, folder: Path) -> Trial:
    """The built probe of many threads."""
    return _probe("threads", [program], subject, folder, {})


def pipeline(subject: Subject, folder: Path) -> Trial:
    """A shell and the programs that it starts."""
    argv: list[str | Path] = ["sh", PROBES / "pipeline.sh"]
    reference = preload.attempt(argv, subject.bare(), folder / "pipeline-without")
    ran = preload.attempt(argv, subject, folder / "pipeline")
    return _judged("pipeline", ran, pipeline_claims(ran, reference, subject))


def interpreter() -> str:
    """The host's own Python, else the one that runs us."""
    return shutil.which("python3", path=os.defpath) or sys.executable


def probe_claims(ran: Ran, reference: Ran, subject: Subject) -> list[Claim]:
    """What must hold of a probe, the strongest proof first."""
    told, without = proofs.account(ran.output), proofs.account(reference.output)
    trace = "\n".join(ran.traces.values())
    return [
        *proofs.inside(told, subject),
        proofs.bound("the process", trace, subject),
        proofs.maps({"the process": told.mapped}, subject),
        proofs.begun(ran.complaint, 1),
        proofs.secured(ran.complaint, subject),
        proofs.accepted(ran.complaint),
        Claim("exit code", "0", str(ran.code)),
        Claim("exit code without the library", str(_ELSEWHERE), str(reference.code)),
        Claim("result, as without the library", without.result or "one", told.result or "none"),
    ]


def pipeline_claims(ran: Ran, reference: Ran, subject: Subject) -> list[Claim]:
    """What must hold of every member of the pipeline."""
    members = [
        proofs.bound(proofs.program(trace), trace, subject, MEMBER_NEEDS)
        for trace in ran.traces.values()
    ]
    return [
        Claim("processes that the loader tells of", str(MEMBERS), str(len(ran.traces))),
        *members,
        proofs.begun(ran.complaint, MEMBERS),
        proofs.accepted(ran.complaint),
        Claim("exit code", "0", str(ran.code)),
        Claim("output, as without the library", reference.output.strip(), ran.output.strip()),
    ]


def _probe(
    name: str, argv: Sequence[str | Path], subject: Subject, folder: Path, env: Mapping[str, str]
) -> Trial:
    reference = preload.attempt(argv, subject.bare(), folder / f"{name}-without", env)
    ran = preload.attempt(argv, subject, folder / name, env)
    return _judged(name, ran, probe_claims(ran, reference, subject))


def _judged(name: str, ran: Ran, claims: Sequence[Claim]) -> Trial:
    return proofs.trial(name, claims, proofs.tail(ran.complaint, process.LAST_LINES))
