"""`process.foreground`: a program in our own place, with all that the user does to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.model.errors import HostError
from pipeline.system import process

OURS = "import sys; from pipeline import process; sys.exit(process.foreground(sys.argv[1:], {}))"


def start(project: Path, script: str) -> subprocess.Popen[str]:
    """A shell in the place of a Python of ours."""
    return subprocess.Popen(
        [sys.executable, "-c", OURS, "sh", "-c", script],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_input_output_and_exit_code_are_the_programs(project: Path) -> None:
    """Nothing is kept back, and nothing added."""
    with start(project, 'read word; echo "said $word"; exit 7') as running:
        told, _ = running.communicate("so", timeout=30)

    assert (7, "said so\n") == (running.returncode, told)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_asks_us_to_end_is_passed_on(project: Path, number: signal.Signals) -> None:
    """The program ends in its own way, and its exit code is ours."""
    script = "trap 'exit 9' TERM HUP; echo ready; while :; do sleep 0.05; done"
    with start(project, script) as running:
        assert running.stdout
        assert "ready\n" == running.stdout.readline()
        running.send_signal(number)
        running.communicate(timeout=30)

    assert 9 == running.returncode


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    """128, and its number."""
    assert 128 + signal.SIGKILL == process.foreground(["sh", "-c", "kill -9 $$"], {})


def test_variables_are_added_to_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike the programs of a build, it is the user's, and knows the user's environment."""
    monkeypatch.setenv("MINE", "1")

    assert 0 == process.foreground(["sh", "-c", '[ "$MINE$MORE" = 12 ]'], {"MORE": "2"})


def test_handlers_are_put_back() -> None:
    """What happens to us afterwards is as it was."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    process.foreground(["true"], {})

    assert before == [signal.getsignal(number) for number in numbers]


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    """By name, and with the system's reason."""
    with pytest.raises(HostError, match="cannot be started") as caught:
        process.foreground([tmp_path], {})

    assert "Permission denied" == caught.value.got
