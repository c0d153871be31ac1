"""What must hold of an nginx on the library, and how it is set up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.smoke import proofs, server
from pipeline.smoke.preload import Subject
from pipeline.smoke.server import Served

SUBJECT = Subject(Path("/opt/libmimalloc.so.3"), 30403)
OURS = frozenset({str(SUBJECT.file)})
CREW = {"master": OURS, "worker 1": OURS, "worker 2": OURS}
NOTICE = "2026/01/01 00:00:00 [notice] 1#1: start worker process 2\n"
LOG = "process init: 0x1\n" + NOTICE + "process done: 0x1\n" * 5

GOOD = Served(
    before=CREW,
    after=CREW,
    answers={"200 gzip ab": 4},
    right=4,
    asked=4,
    reload="0",
    code="0",
    log=LOG,
    trace="\n".join(
        f"binding file nginx [0] to {SUBJECT.library} [0]: normal symbol `{name}'"
        for name in proofs.ENTRY_POINTS
    ),
)


def broken(served: Served) -> list[str]:
    """What does not hold, against a good nginx without the library."""
    return [claim.subject for claim in server.claims(served, GOOD, SUBJECT) if not claim.holds]


def test_a_good_server_holds() -> None:
    """Every claim."""
    assert [] == broken(GOOD)


@pytest.mark.parametrize(
    ("served", "subject"),
    [
        (replace(GOOD, before={**CREW, "worker 2": frozenset()}), "mapped by"),
        (replace(GOOD, after={**CREW, "worker 2": frozenset()}), "mapped by"),
        (replace(GOOD, log=LOG.replace("process done", "process gone", 1)), "mimalloc says"),
        (replace(GOOD, right=3), "requests of 4"),
        (replace(GOOD, answers={"200 gzip ba": 4}), "answers, as without"),
        (replace(GOOD, reload="1"), "exit code of the reload"),
        (replace(GOOD, code="-11"), "exit code after"),
        (
            replace(GOOD, log=f"{LOG}x [alert] 1#1: worker process 2 exited on signal 11\n"),
            "complaints",
        ),
        (replace(GOOD, trace=""), "nginx is bound"),
    ],
)
def test_each_proof_is_needed(served: Served, subject: str) -> None:
    """One that is missing or false breaks its own claim and no other."""
    (found,) = broken(served)

    assert found.startswith(subject)


def test_a_missing_worker_is_told() -> None:
    """Two before the reload, two after it, and the new ones are others than the old."""
    one = {"master": OURS, "worker 1": OURS}

    assert ["processes after a reload, the workers new"] == broken(replace(GOOD, after=one))
    assert ["processes"] == broken(replace(GOOD, before=one))


def test_only_warnings_and_worse_are_complaints() -> None:
    """A log of the host's that a user may not write is none of ours."""
    harmless = (
        "nginx: [alert] could not open error log file: open() failed (13: Permission denied)\n"
    )
    bad = "2026/01/01 00:00:00 [crit] 1#1: open() failed"

    assert [bad] == server.complaints(f"{harmless}{NOTICE}{bad}\n")
