"""`status`: what is shown of each process, and when that is an error."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.model.errors import StatusError
from pipeline.service import status
from pipeline.system import procfs
from pipeline.system.procfs import Mapped, Process

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
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    monkeypatch.setattr(status, "mi_version", lambda file: 30403)
    file = tmp_path / str(PLAIN.pid) / "root" / "libmimalloc.so.3.4"
    file.parent.mkdir(parents=True)
    file.write_text("")
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
        (replace(PLAIN, mapped=None), "cannot be read: run this as root"),
        (replace(PLAIN, secure=True), "AT_SECURE, so the loader ignored LD_PRELOAD"),
        (replace(PLAIN, mapped=()), "statically linked"),
        (
            replace(PLAIN, mapped=(LOADER, Mapped("/lib/libjemalloc.so.2", False, "5-6"))),
            "but on libjemalloc.so.2",
        ),
        (replace(PLAIN, mapped=(LOADER, GONE)), "was removed on disk since it started"),
    ],
)
def test_each_reason_is_shown(process: Process, words: str) -> None:
    """As far as it can be seen from outside."""
    assert words in fault(process)


def test_a_file_of_the_same_name_is_another_one(library: Mapped) -> None:
    """An upgrade puts a new file in the place of the one that is in use."""
    process = replace(PLAIN, mapped=(LOADER, replace(library, gone=True)))

    assert "was replaced on disk since it started: restart it" in fault(process)


def test_listing_is_like_that_of_ps() -> None:
    """Workers are below their master, and what cannot be read is named."""
    worker = replace(PLAIN, pid=8, parent=7, pss=None, command="nginx: worker")
    head, first, second, unread = status.listing([status.state(p, {}) for p in (PLAIN, worker)])

    assert ["USER", "PID", "VSZ", "RSS", "PSS", "MIMALLOC", "COMMAND"] == head.split()
    assert ["web", "7", "1000", "100", "50", "-"] == first.split()[:6]
    assert second.endswith(r"\_ nginx: worker")
    assert "?" in second
    assert "not readable: PSS of 8; root can read all" == unread


FORGED = "nginx\nroot 1 0 0 0 3.4.3 init\x1b[31m\x1b]0;title\a\t\x7f\u202e\ufffdé"


def test_words_of_a_process_are_one_line() -> None:
    """As in ps, no newline or escape sequence of a process reaches the terminal."""
    _, line = status.listing([status.state(replace(PLAIN, command=FORGED), {})])

    assert line.endswith("nginx?root 1 0 0 0 3.4.3 init?[31m?]0;title????\ufffdé")


def test_names_of_its_files_are_printable(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever runs a program chooses the name of its library."""
    odd = Mapped("/tmp/libmimalloc\x1b[2J.so", True, "5-6")
    processes = [replace(PLAIN, mapped=(LOADER, odd), command=FORGED)]
    monkeypatch.setattr(procfs, "named", lambda name: processes)

    with pytest.raises(StatusError) as caught:
        status.run(project, 0, "nginx")

    message = str(caught.value)
    assert "7: /tmp/libmimalloc?[2J.so was removed on disk" in message
    assert 2 == len(capsys.readouterr().out.splitlines())
    assert "\x1b" not in message


def test_a_process_that_is_not_there_is_an_error(project: Path) -> None:
    """And no empty listing, which would look like success."""
    with pytest.raises(StatusError, match="there is no process no-such-program"):
        status.run(project, 0, "no-such-program")
    with pytest.raises(StatusError, match="there is no process 4194305"):
        status.run(project, 4194305, "nginx")
