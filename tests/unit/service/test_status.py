"""`status`: what is said of each process, and when that is no good news."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.model.errors import RequestError, StatusError
from pipeline.service import status
from pipeline.system import procfs
from pipeline.system.procfs import Mapped, Process
from pipeline.system.report import Report

LOADER = Mapped("/lib64/ld-linux-x86-64.so.2", False, "1-2")
GONE = Mapped("/opt/none/libmimalloc.so.3.4", True, "3-4")
PLAIN = Process(
    pid=7,
    parent=1,
    user="web",
    name="nginx",
    command="nginx: master process",
    vsz=1000,
    rss=100,
    pss=50,
    mapped=(LOADER,),
    secure=False,
)


def fault(process: Process) -> str:
    """What is wrong with it."""
    return status.state(process, {}).fault


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapped:
    """A library that is on disk, where the process sees it."""
    monkeypatch.setattr(procfs, "root_of", lambda process: tmp_path)
    monkeypatch.setattr(status, "mi_version", lambda file: 30403)
    (tmp_path / "libmimalloc.so.3.4").write_text("")
    return Mapped("/libmimalloc.so.3.4", False, "3-4")


def test_a_process_on_the_library_has_no_fault(library: Mapped) -> None:
    """Its release goes by the recipes' name, or by what mi_version() gives."""
    process = replace(PLAIN, mapped=(LOADER, library))

    assert ("3.4.3", "") == (
        status.state(process, {30403: "3.4.3"}).release,
        status.state(process, {30403: "3.4.3"}).fault,
    )
    assert "30403" == status.state(process, {}).release


@pytest.mark.parametrize(
    ("process", "words"),
    [
        (PLAIN, "not on mimalloc"),
        (replace(PLAIN, mapped=None), "cannot be seen: ask as root"),
        (replace(PLAIN, secure=True), "AT_SECURE, so the loader ignored LD_PRELOAD"),
        (replace(PLAIN, mapped=()), "statically linked"),
        (
            replace(PLAIN, mapped=(LOADER, Mapped("/lib/libjemalloc.so.2", False, "5-6"))),
            "but on libjemalloc.so.2",
        ),
        (replace(PLAIN, mapped=(LOADER, GONE)), "was removed on disk since it started"),
    ],
)
def test_each_reason_is_told(process: Process, words: str) -> None:
    """As far as it can be seen from outside."""
    assert words in fault(process)


def test_a_file_of_the_same_name_is_another_one(library: Mapped) -> None:
    """An upgrade puts a new file in the place of the one that is in use."""
    process = replace(PLAIN, mapped=(LOADER, replace(library, gone=True)))

    assert "was replaced on disk since it started: restart it" in fault(process)


def test_listing_is_in_the_manner_of_ps() -> None:
    """Workers hang below their master; what is not seen is said."""
    states = [
        status.state(each, {})
        for each in (PLAIN, replace(PLAIN, pid=8, parent=7, pss=None, command="nginx: worker"))
    ]
    head, master, worker, unseen = status.listing(states)

    assert ["USER", "PID", "VSZ", "RSS", "PSS", "MIMALLOC", "COMMAND"] == head.split()
    assert ["web", "7", "1000", "100", "50", "-"] == master.split()[:6]
    assert worker.endswith(r"\_ nginx: worker")
    assert "?" in worker
    assert "not seen: PSS of 8; root sees all" == unseen


def test_nobody_there_is_an_error(project: Path) -> None:
    """And no empty listing, which would pass for all being well."""
    with pytest.raises(StatusError, match="there is no no-such-program"):
        status.run(project, Report(), name="no-such-program")
    with pytest.raises(StatusError, match="there is no pid 4194305"):
        status.run(project, Report(), pid=4194305)


@pytest.mark.parametrize("text", ["x", "-1", "0", "1.5"])
def test_what_is_no_process_id_is_refused(text: str) -> None:
    """Before anything is looked for."""
    with pytest.raises(RequestError, match="--pid"):
        status.parsed(text)
    assert (0, 12) == (status.parsed(""), status.parsed("12"))
