"""What must hold of programs that run to their end on the library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.smoke import programs, proofs
from pipeline.smoke.preload import Ran, Subject
from pipeline.smoke.proofs import Claim

SUBJECT = Subject(Path("/opt/libmimalloc.so.3"), 30403)


def bindings(target: str = str(SUBJECT.library)) -> str:
    """What the loader writes where all is bound to the target."""
    lines = [
        f"1:\tbinding file x [0] to {target} [0]: normal symbol `{n}'" for n in proofs.ENTRY_POINTS
    ]
    return "\n".join(lines)


GOOD = Ran(
    0,
    f"result ab\nblocks 9 of 9\nmi_version 30403\nmaps {SUBJECT.file}\n",
    "mimalloc: process init: 0x1\nmimalloc: secure level: 0\n",
    {7: bindings()},
)
WITHOUT = Ran(2, "result ab\nblocks 0 of 9\nmi_version 0\nmaps /usr/bin/python3\n", "", {})

PIPED = Ran(0, "cd  -\n", "process init: 1\n" * 5, dict.fromkeys(range(5), bindings()))
PIPED_WITHOUT = Ran(0, "cd  -\n", "", {})


def broken(claims: list[Claim]) -> list[str]:
    """What does not hold."""
    return [claim.subject for claim in claims if not claim.holds]


def test_a_good_run_holds() -> None:
    """A probe on the library, and the pipeline."""
    assert [] == broken(programs.probe_claims(GOOD, WITHOUT, SUBJECT))
    assert [] == broken(programs.pipeline_claims(PIPED, PIPED_WITHOUT, SUBJECT))


@pytest.mark.parametrize(
    ("ran", "subject"),
    [
        (replace(GOOD, output=GOOD.output.replace("9 of", "8 of")), "blocks in mimalloc's heap"),
        (replace(GOOD, output=GOOD.output.replace("30403", "206")), "mi_version()"),
        (replace(GOOD, output=GOOD.output.replace("maps /opt", "maps /usr")), "mapped by"),
        (replace(GOOD, output=GOOD.output.replace("ab", "cd")), "result, as without"),
        (replace(GOOD, code=-11), "exit code"),
        (
            replace(GOOD, complaint=GOOD.complaint.replace("process init", "process gone")),
            "mimalloc says: process init",
        ),
        (
            replace(GOOD, complaint=GOOD.complaint.replace("level: 0", "level: 4")),
            "mimalloc says: secure level",
        ),
        (replace(GOOD, complaint=f"{GOOD.complaint}x cannot be preloaded"), "the loader's"),
        (replace(GOOD, traces={7: bindings("/lib/libc.so.6")}), "the process is bound"),
        (replace(GOOD, traces={}), "the process is bound"),
    ],
)
def test_each_proof_of_a_probe_is_needed(ran: Ran, subject: str) -> None:
    """One that is missing or false breaks its own claim and no other."""
    (found,) = broken(programs.probe_claims(ran, WITHOUT, SUBJECT))

    assert found.startswith(subject)


def test_a_reference_on_mimalloc_is_none() -> None:
    """The run without the library must not have found one after all."""
    found = broken(programs.probe_claims(GOOD, GOOD, SUBJECT))

    assert ["exit code without the library"] == found


@pytest.mark.parametrize(
    ("ran", "subject"),
    [
        (replace(PIPED, traces={1: bindings()}), "processes that the loader tells of"),
        (replace(PIPED, complaint="process init: 1"), "mimalloc says: process init"),
        (replace(PIPED, output="ef  -\n"), "output, as without the library"),
        (replace(PIPED, traces={**PIPED.traces, 3: bindings("/lib/libc.so.6")}), "? is bound"),
    ],
)
def test_each_member_of_a_pipeline_is_proven(ran: Ran, subject: str) -> None:
    """One of five that does not run on the library is enough."""
    (found,) = broken(programs.pipeline_claims(ran, PIPED_WITHOUT, SUBJECT))

    assert found.startswith(subject)
