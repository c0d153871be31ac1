"""`process.foreground`: a program on the user's terminal, with the user's input and signals."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.model.errors import HostError
from pipeline.system import process

# Under nohup a shell could not trap SIGHUP.
SCRIPT = """
import signal, sys
from pipeline.system import process
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(process.foreground(sys.argv[1:], {}))
"""


def start(project: Path, script: str) -> subprocess.Popen[str]:
    """A shell that is run by a Python of ours."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "sh", "-c", script],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_input_output_and_exit_code_are_the_programs(project: Path) -> None:
    """They are passed through unchanged."""
    with start(project, 'read word; echo "got $word"; exit 7') as running:
        output, _ = running.communicate("so", timeout=30)

    assert (7, "got so\n") == (running.returncode, output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_signals_are_passed_on(project: Path, number: signal.Signals) -> None:
    """The program handles the signal, and its exit code is ours."""
    script = "trap 'exit 9' TERM HUP; echo ready; while :; do sleep 0.05; done"
    with start(project, script) as running:
        assert running.stdout
        assert "ready\n" == running.stdout.readline()
        running.send_signal(number)
        running.communicate(timeout=30)

    assert 9 == running.returncode


def test_a_signal_is_reported_as_by_a_shell() -> None:
    """The exit code is 128 plus its number."""
    assert 128 + signal.SIGKILL == process.foreground(["sh", "-c", "kill -9 $$"], {})


def test_variables_are_added_to_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike the programs of a build, it has the user's environment."""
    monkeypatch.setenv("MINE", "1")

    assert 0 == process.foreground(["sh", "-c", '[ "$MINE$MORE" = 12 ]'], {"MORE": "2"})


def test_handlers_are_restored() -> None:
    """Afterwards our own signals are handled as before."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    process.foreground(["true"], {})

    assert before == [signal.getsignal(number) for number in numbers]


def test_program_that_cannot_be_started(tmp_path: Path) -> None:
    """The error has its name and the system's reason."""
    with pytest.raises(HostError, match="cannot be started") as caught:
        process.foreground([tmp_path], {})

    assert "Permission denied" == caught.value.got
