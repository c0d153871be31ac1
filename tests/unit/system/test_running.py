"""Programs that run while the caller works."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.model.errors import HostError
from pipeline.system import process


def _runs(process_id: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_and_its_children_have_ended_afterwards(tmp_path: Path) -> None:
    """Also where the caller fails."""
    log, process_ids = tmp_path / "log", list[int]()

    def fail() -> None:
        with process.running(["sh", "-c", "sleep 60 & echo $!; wait"], log=log) as child:
            while len(log.read_text().splitlines()) < 2:
                time.sleep(0.01)
            process_ids.extend((child.pid, int(log.read_text().splitlines()[-1])))
            assert all(_runs(process_id) for process_id in process_ids)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    time.sleep(0.05)
    assert [False, False] == [_runs(process_id) for process_id in process_ids]


def test_the_caller_may_wait_for_its_end(tmp_path: Path) -> None:
    """The log has the command as one can paste it, and what the program printed."""
    log = tmp_path / "log"

    with process.running(["sh", "-c", "echo one; exit 3"], log=log) as child:
        code = child.wait(10)

    assert 3 == code
    assert "$ sh -c 'echo one; exit 3'\none\n" == log.read_text()


def test_a_missing_program_is_an_error(tmp_path: Path) -> None:
    """Of the same kind as for every other program."""
    with pytest.raises(HostError), process.running(["no-such-program"], log=tmp_path / "log"):
        pytest.fail("it cannot have started")
