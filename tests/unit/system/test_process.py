"""`process`: the environment, output, failure and end of other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.model.errors import CompileError, HostError
from pipeline.system import process
from pipeline.system.process import PASSED_ON


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that does not exist yet, in a folder that does not exist yet."""
    return tmp_path / "folder" / "log"


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


def test_command_is_logged_ready_to_paste(log: Path) -> None:
    """The log has the command, quoted for a shell, and below it what the program printed."""
    process.run(
        ["echo", "a b", "$HOME", "it's"],
        log=log,
        error=CompileError("x"),
    )

    assert "$ echo 'a b' '$HOME' 'it'\"'\"'s'\na b $HOME it's\n" == log.read_text()


def test_log_grows(log: Path) -> None:
    """The log of a step has all its programs."""
    for word in ("one", "two"):
        process.run(
            ["echo", word],
            log=log,
            error=CompileError("x"),
        )

    assert "$ echo one\none\n$ echo two\ntwo\n" == log.read_text()


def test_failure_shows_last_lines_and_log(log: Path) -> None:
    """A failed program leaves its log, and its last lines are in the error."""
    script = "for i in $(seq 50); do echo line $i; done; echo why >&2; exit 3"
    with pytest.raises(CompileError) as caught:
        process.run(
            ["sh", "-c", script],
            log=log,
            error=CompileError("no luck", hint="this"),
        )

    problem = caught.value
    assert ("no luck", "sh exited with 3", log, "this") == (
        *(problem.what, problem.got, problem.file),
        problem.hint,
    )
    assert [*(f"line {number}" for number in range(37, 51)), "why"] == problem.detail.splitlines()
    assert "line 1\n" in log.read_text()


def test_failure_shows_nothing_of_earlier_programs(log: Path) -> None:
    """The last lines are those of the program that failed."""
    process.run(
        ["echo", "fine"],
        log=log,
        error=CompileError("x"),
    )
    with pytest.raises(CompileError) as caught:
        process.run(
            ["false"],
            log=log,
            error=CompileError("x"),
        )

    assert "" == caught.value.detail


def test_signal_is_shown_by_its_name(log: Path) -> None:
    """A crash differs from an exit code."""
    with pytest.raises(CompileError) as caught:
        process.run(
            ["sh", "-c", "kill -SEGV $$"],
            log=log,
            error=CompileError("x"),
        )

    assert "sh ended by SIGSEGV" == caught.value.got


def test_output_need_not_be_text(log: Path) -> None:
    """Bytes that are no UTF-8 do not stop the message."""
    with pytest.raises(CompileError) as caught:
        process.run(
            ["printf", r"\377\n%d", "x"],
            log=log,
            error=CompileError("x"),
        )

    assert "\ufffd" == caught.value.detail.splitlines()[0]


def test_missing_program(log: Path) -> None:
    """It is named, with the command that lists what the host lacks."""
    with pytest.raises(HostError) as caught:
        process.run(
            ["no-such-program"],
            log=log,
            error=CompileError("x"),
        )

    assert "no-such-program cannot be started" == caught.value.what
    assert "invoke doctor" == caught.value.hint
    assert 11 == caught.value.exit_code


@pytest.mark.parametrize(
    ("content", "mode"), [("#!/bin/sh\n", 0o644), ("no script, no program\n", 0o755)]
)
def test_program_that_cannot_be_started(tmp_path: Path, content: str, mode: int) -> None:
    """Neither a missing permission nor a file that is no program ends in a traceback."""
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(mode)

    with pytest.raises(HostError, match="cannot be started"):
        process.attempt([program])


def test_environment_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags, preloads, locale and time zone of the user are not passed on."""
    for name in ("LD_PRELOAD", "CFLAGS", "LDFLAGS", "LANG", "LC_MESSAGES", "CC", "MAKEFLAGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    output = process.read(["env"], error=CompileError("x"), env={"EXTRA": "1"})
    names = dict(line.split("=", 1) for line in output.splitlines())

    assert set(names) <= {*PASSED_ON, "LC_ALL", "TZ", "EXTRA", "PWD", "SHLVL", "_"}
    assert ("C", "UTC", "1") == (names["LC_ALL"], names["TZ"], names["EXTRA"])
    assert os.environ["PATH"] == names["PATH"]


def test_standard_output_can_go_to_a_file(tmp_path: Path, log: Path) -> None:
    """The error output stays in the log."""
    script, file = "echo hello; echo oops >&2", tmp_path / "out"
    process.run(["sh", "-c", script], log=log, error=CompileError("x"), stdout=file)

    assert "hello\n" == file.read_text()
    assert "oops" == log.read_text().splitlines()[-1]


def test_size_of_files_can_be_limited(tmp_path: Path, log: Path) -> None:
    """A program that writes a larger file is killed."""
    argv, file = ["head", "-c", "2000", "/dev/zero"], tmp_path / "out"
    with pytest.raises(CompileError) as caught:
        process.run(argv, log=log, error=CompileError("x"), stdout=file, limit=1000)

    assert ("head ended by SIGXFSZ", 1000) == (caught.value.got, file.stat().st_size)


def test_program_has_no_input() -> None:
    """A program that reads its input does not hang."""
    assert (1, "", "") == process.attempt(["sh", "-c", "read answer"])


def test_program_starts_in_the_given_folder(tmp_path: Path) -> None:
    """Our own working directory does not change."""
    before = Path.cwd()
    output = process.read(["pwd", "-P"], error=CompileError("x"), cwd=tmp_path)

    assert f"{tmp_path.resolve()}\n" == output
    assert before == Path.cwd()


def test_read_gives_standard_output_only() -> None:
    """Warnings on the error output are left out."""
    output = process.read(
        ["sh", "-c", "echo yes; echo no >&2"],
        error=CompileError("x"),
    )

    assert "yes\n" == output


def test_read_that_fails_shows_the_error_output() -> None:
    """The last lines of the error output are in the error."""
    with pytest.raises(CompileError) as caught:
        process.read(
            ["sh", "-c", "echo why >&2; exit 4"],
            error=CompileError("no answer"),
        )

    problem = caught.value
    assert ("no answer", "sh exited with 4", "why") == (problem.what, problem.got, problem.detail)


def test_timeout_ends_the_whole_tree(tree: Path, tmp_path: Path) -> None:
    """After the timeout a program is ended, with all that it started."""
    code, _, _ = process.attempt([tree], cwd=tmp_path, timeout=0.1)

    assert -signal.SIGTERM == code
    assert [] == _left(tmp_path)


def test_program_that_ignores_the_timeout_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM is followed by SIGKILL."""
    monkeypatch.setattr("pipeline.system.process._KILL_AFTER", 0.05)
    script = "trap '' TERM; while :; do sleep 0.01; done"
    code, _, _ = process.attempt(["sh", "-c", script], timeout=0.05)

    assert -signal.SIGKILL == code


@pytest.mark.usefixtures("signals")
def test_interrupt_ends_the_whole_tree(tree: Path, tmp_path: Path, log: Path) -> None:
    """After Ctrl-C no program is left, though each has a session of its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_interrupt_when, args=(tmp_path / "ids",)).start()
    with pytest.raises(KeyboardInterrupt):
        process.run(
            [tree],
            cwd=tmp_path,
            log=log,
            error=CompileError("x"),
        )

    assert [] == _left(tmp_path)
    assert log.read_text().startswith(f"$ {tree}\n")


def test_interrupt_at_any_moment_leaves_no_program(tmp_path: Path, log: Path) -> None:
    """Also one that arrives while the program is started, before we know its id."""
    reader, writer = os.pipe()
    for number in range(60):
        child = os.fork()
        if not child:
            _run_until_interrupted(tmp_path, log, writer)
        os.read(reader, 1)
        time.sleep(number / 10_000)
        os.kill(child, signal.SIGTERM)
        assert 3 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    deadline = time.monotonic() + 10
    while _programs_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert [] == _programs_in(tmp_path)


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
    program, child = (int(word) for word in (tmp_path / "ids").read_text().split())
    deadline = time.monotonic() + 10
    while _runs(program) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child, signal.SIGTERM)

    assert not _runs(program)


def test_errors_before_the_last_lines_are_shown(log: Path) -> None:
    """An error that is followed by many warnings is shown instead of those."""
    script = "echo 'a.c:1: error: why'; seq 50; exit 1"
    with pytest.raises(CompileError) as caught:
        process.run(
            ["sh", "-c", script],
            log=log,
            error=CompileError("x"),
        )
    assert "a.c:1: error: why" == caught.value.detail

    with pytest.raises(CompileError) as caught:
        process.run(
            ["sh", "-c", script],
            log=log,
            error=CompileError("x"),
        )
    assert "50" == caught.value.detail.splitlines()[-1]


def _interrupt_when(file: Path) -> None:
    while not file.exists():
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)


def _left(folder: Path) -> list[int]:
    """The programs of the tree that still run; one that was killed takes a moment to be gone."""
    left = [int(word) for word in (folder / "ids").read_text().split()]
    assert len(left) == 2
    for _ in range(100):
        left = [number for number in left if _runs(number)]
        if not left:
            break
        time.sleep(0.005)
    return left


def _runs(number: int) -> bool:
    try:
        state = Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
