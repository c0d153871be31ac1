"""`process`: the environment, output, failure and end of other programs."""

import os
from pathlib import Path

import pytest

from pipeline.model.errors import CompileError, HostError
from pipeline.system import process
from pipeline.system.process import PASSED_ON


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that does not exist yet, in a folder that does not exist yet."""
    return tmp_path / "folder" / "log"


def test_command_is_logged_ready_to_paste(log: Path) -> None:
    """The log has the command, quoted for a shell, and below it what the program printed."""
    process.run(["echo", "a b", "$HOME", "it's"], log=log, error=CompileError("x"))

    assert "$ echo 'a b' '$HOME' 'it'\"'\"'s'\na b $HOME it's\n" == log.read_text()


def test_log_grows(log: Path) -> None:
    """The log of a step has all its programs."""
    for word in ("one", "two"):
        process.run(["echo", word], log=log, error=CompileError("x"))

    assert "$ echo one\none\n$ echo two\ntwo\n" == log.read_text()


def test_failure_shows_last_lines_and_log(log: Path) -> None:
    """A failed program leaves its log, and its last lines are in the error."""
    script = "for i in $(seq 50); do echo line $i; done; echo why >&2; exit 3"
    with pytest.raises(CompileError) as caught:
        process.run(["sh", "-c", script], log=log, error=CompileError("no luck", hint="this"))

    problem = caught.value
    assert ("no luck", "sh exited with 3", log, "this") == (
        *(problem.what, problem.got, problem.file),
        problem.hint,
    )
    assert [*(f"line {number}" for number in range(37, 51)), "why"] == problem.detail.splitlines()
    assert "line 1\n" in log.read_text()


def test_failure_shows_nothing_of_earlier_programs(log: Path) -> None:
    """The last lines are those of the program that failed."""
    process.run(["echo", "fine"], log=log, error=CompileError("x"))
    with pytest.raises(CompileError) as caught:
        process.run(["false"], log=log, error=CompileError("x"))

    assert "" == caught.value.detail


def test_signal_is_shown_by_its_name(log: Path) -> None:
    """A crash differs from an exit code."""
    with pytest.raises(CompileError) as caught:
        process.run(["sh", "-c", "kill -SEGV $$"], log=log, error=CompileError("x"))

    assert "sh ended by SIGSEGV" == caught.value.got


def test_output_need_not_be_text(log: Path) -> None:
    """Bytes that are no UTF-8 do not stop the message."""
    with pytest.raises(CompileError) as caught:
        process.run(["printf", r"\377\n%d", "x"], log=log, error=CompileError("x"))

    assert "\ufffd" == caught.value.detail.splitlines()[0]


def test_missing_program(log: Path) -> None:
    """It is named, with the command that lists what the host lacks."""
    with pytest.raises(HostError) as caught:
        process.run(["no-such-program"], log=log, error=CompileError("x"))

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
    output = process.read(["sh", "-c", "echo yes; echo no >&2"], error=CompileError("x"))

    assert "yes\n" == output


def test_read_that_fails_shows_the_error_output() -> None:
    """The last lines of the error output are in the error."""
    with pytest.raises(CompileError) as caught:
        process.read(["sh", "-c", "echo why >&2; exit 4"], error=CompileError("no answer"))

    problem = caught.value
    assert ("no answer", "sh exited with 4", "why") == (problem.what, problem.got, problem.detail)


@pytest.mark.parametrize(
    ("script", "first", "last"),
    [
        ("echo error: why; seq 50; exit 1", "error: why", "error: why"),
        ("echo error: why; seq 50; echo error: end; exit 1", "37", "error: end"),
        ("seq 50; exit 1", "36", "50"),
    ],
)
def test_errors_before_the_last_lines_are_shown(
    log: Path, script: str, first: str, last: str
) -> None:
    """An error that is followed by many warnings is shown instead of those."""
    with pytest.raises(CompileError) as caught:
        process.run(["sh", "-c", script], log=log, error=CompileError("x"))

    lines = caught.value.detail.splitlines()
    assert (first, last) == (lines[0], lines[-1])
