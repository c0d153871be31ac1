"""Is a process running on the library? Read from what it, the loader and the kernel tell."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.smoke import proofs
from pipeline.smoke.preload import Subject
from pipeline.smoke.proofs import Claim

LIBRARY = "/opt/of ours/libmimalloc.so.3"
LIBC = "/lib64/libc.so.6"
SUBJECT = Subject(Path(LIBRARY), 30403)


def trace(*bindings: tuple[str, str, str]) -> str:
    """What the loader writes for these: who asks, whose it is, and the name."""
    lines = [
        f"      41:\tbinding file {asker} [0] to {target} [0]: normal symbol `{name}' [GLIBC_2.2.5]"
        for asker, target, name in bindings
    ]
    return "\n".join([*lines, "      41:\ttransferring control: /usr/sbin/nginx", ""])


def test_a_claim_holds_where_expected_and_got_are_the_same() -> None:
    """A claim that does not hold tells both."""
    assert (True, "blocks: 3 of 3") == _told(Claim("blocks", "3 of 3", "3 of 3"))
    assert (False, "blocks: expected 3 of 3, got 0 of 3") == _told(
        Claim("blocks", "3 of 3", "0 of 3")
    )


def _told(claim: Claim) -> tuple[bool, str]:
    return claim.holds, claim.line()


def test_a_trial_passes_where_every_claim_holds() -> None:
    """It tells all claims then; else those that are broken, and the evidence."""
    good, bad = Claim("a", "1", "1"), Claim("b", "1", "2")
    passed = proofs.trial("python3", [good, good], "evidence")
    failed = proofs.trial("python3", [good, bad], "evidence")

    assert (True, "a: 1\na: 1") == (passed.passed, passed.output)
    assert (False, "b: expected 1, got 2\nevidence") == (failed.passed, failed.output)


def test_an_account_is_read_from_a_probes_output() -> None:
    """Blocks, version, mapped files and result; a file's path may have spaces."""
    told = proofs.account(
        f"result 1f\nblocks 2 of 3\nmi_version 206\nmaps {LIBRARY}\nmaps {LIBC}\n"
    )

    assert proofs.Account("1f", 2, 3, 206, frozenset({LIBRARY, LIBC})) == told


def test_a_probe_that_says_nothing_proves_nothing() -> None:
    """An empty account is not "0 of 0, so all of them"."""
    claims = proofs.inside(proofs.account(""), SUBJECT)

    assert [False, False] == [claim.holds for claim in claims]


def test_another_release_is_told_by_its_version() -> None:
    """Blocks in mimalloc's heap do not make it the right mimalloc."""
    heap, version = proofs.inside(proofs.account("blocks 3 of 3\nmi_version 209"), SUBJECT)

    assert heap.holds
    assert "mi_version(): expected 30403, got 209" == version.line()


def test_entry_points_are_bound_to_the_library() -> None:
    """All the names, whoever asks for them; other symbols do not count."""
    text = trace(
        *(("nginx", LIBRARY, name) for name in proofs.ENTRY_POINTS),
        (LIBC, LIBRARY, "malloc"),
        ("nginx", LIBC, "getenv"),
    )

    assert proofs.bound("nginx", text, SUBJECT).holds
    assert "nginx" == proofs.program(text)


def test_lines_of_two_processes_may_run_together() -> None:
    """Forked processes write into one file, and the loader writes a line in two parts."""
    line = trace(("nginx", LIBRARY, "malloc")).splitlines()[0]
    first, end = line.partition(" [GLIBC")[::2]

    found = proofs.bindings(f"{first}{line} [GLIBC{end}\n")

    assert {"malloc": {("nginx", LIBRARY)}} == found


@pytest.mark.parametrize(
    ("bindings", "got"),
    [
        ([], "none"),
        ([("sh", LIBRARY, "free")], "free"),
        ([("sh", LIBRARY, "free"), ("sh", LIBC, "malloc")], f"malloc in {LIBC}"),
        ([("sh", LIBRARY, "malloc"), ("sh", "sh", "free")], "free in sh"),
        ([("sh", LIBRARY, "malloc"), (LIBC, LIBC, "calloc")], f"calloc in {LIBC}"),
    ],
)
def test_an_entry_point_elsewhere_breaks_the_claim(
    bindings: list[tuple[str, str, str]], got: str
) -> None:
    """Nowhere, in the C library, in the program itself; needed names and others alike."""
    claim = proofs.bound("sh", trace(*bindings), SUBJECT, ("free", "malloc"))

    assert f"sh is bound to the library: expected free malloc, got {got}" == claim.line()


def test_a_program_may_hand_on_what_it_is_bound_to() -> None:
    """Libraries call a program's own stub of `malloc`, where the program is at a fixed address."""
    text = trace(
        ("python3", LIBRARY, "malloc"),
        ("python3", "python3", "malloc"),
        (LIBC, "python3", "malloc"),
    )

    assert proofs.bound("python3", text, SUBJECT, ["malloc"]).holds


def test_files_with_code_are_read_from_maps() -> None:
    """Data, anonymous memory and the stack are no proof."""
    text = (
        "7f01-7f02 r--p 00000000 fe:00 11 /opt/data\n"
        f"7f02-7f03 r-xp 00000000 fe:00 12                         {LIBRARY}\n"
        "7f03-7f04 r-xp 00000000 00:00 0                          [vdso]\n"
        "7f04-7f05 rw-p 00000000 00:00 0 \n"
    )

    assert frozenset({LIBRARY}) == proofs.mapped(text)


def test_every_process_must_have_the_file_mapped(tmp_path: Path) -> None:
    """It is the file itself that is mapped, not its link; one like it is another one."""
    real = tmp_path / "libmimalloc.so.3.4"
    real.touch()
    link = tmp_path / "libmimalloc.so.3"
    link.symlink_to(real.name)
    subject = Subject(link, 30403)
    good, other = frozenset({str(real), LIBC}), frozenset({"/usr/lib/libmimalloc.so.2.0"})

    assert f"mapped by master, worker 1: {real}" == _line(
        {"master": good, "worker 1": good}, subject
    )
    assert _line({"master": good, "worker 1": other}, subject).endswith(
        "got worker 1 /usr/lib/libmimalloc.so.2.0"
    )
    assert _line({"master": frozenset({LIBC})}, subject).endswith("got master no libmimalloc")


def _line(crew: dict[str, frozenset[str]], subject: Subject) -> str:
    return proofs.maps(crew, subject).line()


def test_a_live_process_tells_its_files_and_children() -> None:
    """A process that has gone has neither."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in proofs.children(os.getpid())
        assert proofs.maps_of(child.pid)
    finally:
        child.communicate(b"\n")

    assert child.pid not in proofs.children(os.getpid())
    assert frozenset() == proofs.maps_of(child.pid)


def test_mimalloc_says_when_it_begins_and_is_done() -> None:
    """Counted wherever they stand: processes that share an output write into each other's lines."""
    said = (
        "mimalloc: mimalloc: process init: 0x7F\nprocess init: 0x7E\nmimalloc: process done: 0x7F\n"
    )

    assert "mimalloc says: process init: 2 times" == proofs.begun(said, 2).line()
    assert "mimalloc says: process done: once" == proofs.ended(said, 1).line()
    assert not proofs.begun("", 1).holds


@pytest.mark.parametrize(
    ("level", "said", "line"),
    [
        (0, "mimalloc: secure level: 0\n", "secure level: 0"),
        (4, "v2.0.6, secure level: 4\nmimalloc: secure level: 4\n", "secure level: 4"),
        (4, "mimalloc: secure level: 0\n", "secure level: expected 4, got 0"),
        (0, "mimalloc: secure level: 4\n", "secure level: expected 0, got 4"),
        (4, "secure level: 4\nsecure level: 0\n", "secure level: expected 4, got 0, 4"),
        (0, "mimalloc: process init: 0x7F\n", "secure level: expected 0, got nothing"),
    ],
)
def test_mimalloc_says_its_secure_level(level: int, said: str, line: str) -> None:
    """Of every process that it begins in; a plain library must say so, too."""
    claim = proofs.secured(said, replace(SUBJECT, level=level))

    assert f"mimalloc says: {line}" == claim.line()


def test_the_loaders_complaint_is_told_once() -> None:
    """Each member of a pipeline prints the same."""
    line = "ERROR: ld.so: object '/x' from LD_PRELOAD cannot be preloaded: ignored."

    assert not proofs.accepted(f"{line}\n{line}\n").holds
    assert line == proofs.accepted(f"{line}\n{line}\n").got
    assert proofs.accepted("mimalloc: process init: 0x7F").holds


def test_mimallocs_own_talk_is_no_evidence() -> None:
    """Options and statistics would hide the line that tells what went wrong."""
    said = (
        "mimalloc: process init: 0x7F\noption 'verbose': 1 \nv3.4.3, release\n pages  peak\n"
        "threads: content lost: size 3\nheap stats:    peak\n\n"
    )

    assert "threads: content lost: size 3" == proofs.tail(said, 5)
