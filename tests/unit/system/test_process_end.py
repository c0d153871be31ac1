"""`process` and `program`: none is left after a timeout, an interrupt or our own end."""

import ctypes
import operator
import os
import select
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pipeline.model.errors import CompileError
from pipeline.system import process


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a program."""
    return tmp_path / "log"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A script that starts a child and waits for it; their ids go into the file `ids` beside it."""
    script = tmp_path / "tree"
    # Before the ids are written, the caller gets time to wait for the script.
    script.write_text(
        "#!/bin/sh\nsleep 100 & sleep 0.05\necho $$ $! >ids.half; mv ids.half ids; sleep 100\n"
    )
    script.chmod(0o755)
    return script


def test_timeout_ends_the_whole_tree(tree: Path, tmp_path: Path) -> None:
    """After the timeout a program is ended, with all that it started."""
    code, _, _ = process.attempt([tree], cwd=tmp_path, timeout=0.1)

    assert -signal.SIGTERM == code
    assert _eventually(lambda: not any(map(_runs, _ids(tmp_path))))


def test_program_that_ignores_the_timeout_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM is followed by SIGKILL."""
    monkeypatch.setattr("pipeline.system.program._KILL_AFTER", 0.05)
    script = "trap '' TERM; while :; do sleep 0.01; done"
    code, _, _ = process.attempt(["sh", "-c", script], timeout=0.05)

    assert -signal.SIGKILL == code


@pytest.mark.usefixtures("signals")
def test_interrupt_ends_the_whole_tree(tree: Path, tmp_path: Path, log: Path) -> None:
    """After Ctrl-C no program is left, though each has a session of its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_interrupt_when, args=(tmp_path / "ids",)).start()
    with pytest.raises(KeyboardInterrupt):
        process.run([tree], cwd=tmp_path, log=log, error=CompileError("x"))

    assert _eventually(lambda: not any(map(_runs, _ids(tmp_path))))
    assert log.read_text().startswith(f"$ {tree}\n")


def test_interrupt_at_any_moment_leaves_no_program(tmp_path: Path, log: Path) -> None:
    """Also one that arrives while the program is started, before we know its id."""
    reader, writer = os.pipe()
    for number in range(30):
        child = os.fork()
        if not child:
            _run_until_interrupted(tmp_path, log, writer)
        os.read(reader, 1)
        time.sleep(number / 5_000)
        os.kill(child, signal.SIGTERM)
        assert 3 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert _eventually(lambda: not _programs_in(tmp_path))


@pytest.fixture
def late_signal(signals: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM arrives once, after Python has looked for signals, and before it waits."""
    send = [partial(ctypes.CDLL(None)["raise"], signal.SIGTERM)]

    def late(wait: Callable[..., Any]) -> Callable[..., Any]:
        # Python looks for signals between two of its own calls, and in `map` there are none.
        return lambda *arguments: list(
            map(operator.call, ([send.pop()] if send else []) + [partial(wait, *arguments)])
        )[-1]

    class Poll:
        """Python's, and what is called before it."""

        def __init__(self) -> None:
            poll = select_poll()
            self.register, self.unregister = poll.register, poll.unregister
            self.poll = late(poll.poll)

    select_poll, waitpid = select.poll, os.waitpid
    monkeypatch.setattr(select, "poll", Poll)
    monkeypatch.setattr(selectors.PollSelector, "_selector_cls", Poll)
    monkeypatch.setattr(
        os,
        "waitpid",
        lambda process_id, flags: (waitpid if flags else late(waitpid))(process_id, flags),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.mark.usefixtures("late_signal")
@pytest.mark.parametrize("way", ["run", "attempt"])
def test_a_signal_just_before_the_wait_is_noticed(way: str, log: Path) -> None:
    """It ends no system call: one without a limit would wait until the program ends."""
    ways: dict[str, Callable[[list[str]], object]] = {
        "run": partial(process.run, log=log, error=CompileError("x")),
        "attempt": process.attempt,
    }
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ways[way](["sleep", "30"])

    assert time.monotonic() - began < 20


@pytest.mark.usefixtures("late_signal")
def test_a_signal_just_before_the_wait_is_passed_on() -> None:
    """A program on the terminal gets it while it runs."""
    began = time.monotonic()

    assert 128 + signal.SIGTERM == process.foreground(["sleep", "30"], {})
    assert time.monotonic() - began < 20


def test_a_kernel_without_descriptors_of_processes(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, a program is waited for as well."""
    monkeypatch.setattr(os, "pidfd_open", lambda _: (_ for _ in ()).throw(OSError(38, "")))
    process.run(["sh", "-c", "sleep 0.1; echo end"], log=log, error=CompileError("x"))

    assert log.read_text().endswith("end\n")


def _run_until_interrupted(folder: Path, log: Path, ready: int) -> NoReturn:
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        os.write(ready, b"x")
        script = f"cd {folder}; sleep 60"
        process.run(["sh", "-c", script], log=log, error=CompileError("x"))
    except KeyboardInterrupt:
        os._exit(3)
    finally:
        os._exit(4)


def _eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition holds within 10 seconds: a program that is killed takes a moment."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def _programs_in(folder: Path) -> list[Path]:
    return [link for link in Path("/proc").glob("[0-9]*/cwd") if _leads_to(link, folder)]


def _leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:
        return False


SCRIPT = """
import sys
from pathlib import Path
from pipeline.model.errors import CompileError
from pipeline.system import process
folder = Path(sys.argv[1])
process.run([folder / "tree"], cwd=folder, log=folder / "log", error=CompileError("x"))
"""


def test_program_ends_if_we_are_killed(tree: Path, tmp_path: Path, project: Path) -> None:
    """The kernel ends it; what it has started is for itself to end."""
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(argv, cwd=project) as parent:
        while not (tmp_path / "ids").exists():
            time.sleep(0.005)
        parent.kill()
    program, child = _ids(tmp_path)
    ended = _eventually(lambda: not _runs(program))
    os.kill(child, signal.SIGTERM)

    assert ended


def test_running_program_ends_with_the_block(log: Path) -> None:
    """Also if the block fails, and with all that the program started."""
    process_ids: list[int] = []

    def fail() -> None:
        with process.running(["sh", "-c", "sleep 60 & echo $!; wait"], log=log) as child:
            while len(log.read_text().splitlines()) < 2:
                time.sleep(0.01)
            process_ids.extend((child.pid, int(log.read_text().splitlines()[-1])))
            assert all(map(_runs, process_ids))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert _eventually(lambda: not any(map(_runs, process_ids)))


def test_block_may_wait_for_the_end(log: Path) -> None:
    """The log has the command and the output of the program."""
    with process.running(["sh", "-c", "echo one; exit 3"], log=log) as child:
        code = child.wait(10)

    assert 3 == code
    assert "$ sh -c 'echo one; exit 3'\none\n" == log.read_text()


def _interrupt_when(file: Path) -> None:
    while not file.exists():
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)


def _ids(folder: Path) -> tuple[int, int]:
    """The processes of the tree."""
    script, child = (folder / "ids").read_text().split()
    return int(script), int(child)


def _runs(number: int) -> bool:
    try:
        state = Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
