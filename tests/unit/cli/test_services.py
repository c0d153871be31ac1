"""The door to programs that run while the caller works."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.model.errors import HostError
from pipeline.system import process


def alive(number: int) -> bool:
    """Whether the process lives; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_and_its_children_have_ended_afterwards(tmp_path: Path) -> None:
    """Where the caller fails, too."""
    log, numbers = tmp_path / "log", list[int]()

    def failing() -> None:
        with process.running(["sh", "-c", "sleep 60 & echo $!; wait"], log=log) as child:
            while len(log.read_text().splitlines()) < 2:
                time.sleep(0.01)
            numbers.extend((child.pid, int(log.read_text().splitlines()[-1])))
            assert all(alive(number) for number in numbers)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()

    time.sleep(0.05)
    assert [False, False] == [alive(number) for number in numbers]


def test_the_caller_may_wait_for_its_end(tmp_path: Path) -> None:
    """The log has the command as one can paste it, and what the program printed."""
    log = tmp_path / "log"

    with process.running(["sh", "-c", "echo one; exit 3"], log=log) as child:
        code = child.wait(10)

    assert 3 == code
    assert "$ sh -c 'echo one; exit 3'\none\n" == log.read_text()


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    """As by every other door."""
    with pytest.raises(HostError), process.running(["no-such-program"], log=tmp_path / "log"):
        pytest.fail("it cannot have started")
