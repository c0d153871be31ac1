"""`process`: what other programs are given, and what becomes of their output, failure and end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.model.errors import CompileError, HostError
from pipeline.system import process
from pipeline.system.process.execute import PASSED_ON


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that is not there yet, in a folder that is not there yet."""
    return tmp_path / "room" / "log"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A script that starts a child and waits for it; their ids go into the file `ids` beside it."""
    script = tmp_path / "tree"
    # The pause is for whoever started it, to be waiting by then.
    script.write_text(
        "#!/bin/sh\nsleep 100 & sleep 0.05\necho $$ $! >ids.half; mv ids.half ids; sleep 100\n"
    )
    script.chmod(0o755)
    return script


def test_command_is_logged_as_one_can_paste_it(log: Path) -> None:
    """The log has the command, quoted for a shell, and below it what the program printed."""
    process.run(["echo", "a b", "$HOME", "it's"], log=log, error=CompileError, what="x")

    assert "$ echo 'a b' '$HOME' 'it'\"'\"'s'\na b $HOME it's\n" == log.read_text()


def test_log_grows(log: Path) -> None:
    """A step that runs several programs has all of them in its log."""
    for word in ("one", "two"):
        process.run(["echo", word], log=log, error=CompileError, what="x")

    assert "$ echo one\none\n$ echo two\ntwo\n" == log.read_text()


def test_failure_shows_last_lines_and_log(log: Path) -> None:
    """A failed program leaves its log, and its last lines are in the error."""
    script = "for i in $(seq 50); do echo line $i; done; echo why >&2; exit 3"
    with pytest.raises(CompileError) as caught:
        process.run(["sh", "-c", script], log=log, error=CompileError, what="no luck", hint="this")

    problem = caught.value
    assert ("no luck", "sh exited with 3", log, "this") == (
        *(problem.what, problem.got, problem.file),
        problem.hint,
    )
    assert [*(f"line {number}" for number in range(37, 51)), "why"] == problem.detail.splitlines()
    assert "line 1\n" in log.read_text()


def test_failure_shows_nothing_of_earlier_programs(log: Path) -> None:
    """The last lines are those of the program that failed."""
    process.run(["echo", "fine"], log=log, error=CompileError, what="x")
    with pytest.raises(CompileError) as caught:
        process.run(["false"], log=log, error=CompileError, what="x")

    assert "" == caught.value.detail


def test_signal_is_called_by_its_name(log: Path) -> None:
    """A program that crashed is told from one that gave up."""
    with pytest.raises(CompileError) as caught:
        process.run(["sh", "-c", "kill -SEGV $$"], log=log, error=CompileError, what="x")

    assert "sh ended by SIGSEGV" == caught.value.got


def test_output_need_not_be_text(log: Path) -> None:
    """Bytes that are no UTF-8 do not stop the message."""
    with pytest.raises(CompileError) as caught:
        process.run(["printf", r"\377\n%d", "x"], log=log, error=CompileError, what="x")

    assert "\ufffd" == caught.value.detail.splitlines()[0]


def test_missing_program_is_the_hosts_matter(log: Path) -> None:
    """A program that is not there is named, with the command that lists what is missing."""
    with pytest.raises(HostError) as caught:
        process.run(["no-such-program"], log=log, error=CompileError, what="x")

    assert "no-such-program cannot be started" == caught.value.what
    assert "invoke doctor" == caught.value.hint
    assert 11 == caught.value.exit_code


@pytest.mark.parametrize(
    ("content", "mode"), [("#!/bin/sh\n", 0o644), ("no script, no program\n", 0o755)]
)
def test_program_that_cannot_be_started_is_the_hosts_matter(
    tmp_path: Path, content: str, mode: int
) -> None:
    """Neither a missing permission nor a file that is no program ends in a traceback."""
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(mode)

    with pytest.raises(HostError, match="cannot be started"):
        process.attempt([program])


def test_environment_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags, preloads, locale and time zone of the user do not get through."""
    for name in ("LD_PRELOAD", "CFLAGS", "LDFLAGS", "LANG", "LC_MESSAGES", "CC", "MAKEFLAGS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    told = process.read(["env"], error=CompileError, what="x", env={"EXTRA": "1"})
    names = dict(line.split("=", 1) for line in told.splitlines())

    assert set(names) <= {*PASSED_ON, "LC_ALL", "TZ", "EXTRA", "PWD", "SHLVL", "_"}
    assert ("C", "UTC", "1") == (names["LC_ALL"], names["TZ"], names["EXTRA"])
    assert os.environ["PATH"] == names["PATH"]


def test_program_reads_and_writes_files(tmp_path: Path, log: Path) -> None:
    """Input and output may be files; the error output stays in the log."""
    (tmp_path / "in").write_text("hello\n")
    command, files = ["sh", "-c", "cat; echo oops >&2"], (tmp_path / "in", tmp_path / "out")
    process.run(command, log=log, error=CompileError, what="x", stdin=files[0], stdout=files[1])

    assert "hello\n" == (tmp_path / "out").read_text()
    assert "oops" == log.read_text().splitlines()[-1]


def test_program_waits_for_no_input() -> None:
    """A program that asks a question gets no answer, and does not hang."""
    assert (1, "", "") == process.attempt(["sh", "-c", "read answer"])


def test_program_starts_in_the_given_folder(tmp_path: Path) -> None:
    """The folder is the program's alone; ours stays where it is."""
    before = Path.cwd()
    told = process.read(["pwd", "-P"], error=CompileError, what="x", cwd=tmp_path)

    assert f"{tmp_path.resolve()}\n" == told
    assert before == Path.cwd()


def test_read_gives_standard_output_only() -> None:
    """Warnings on the error output are not taken for an answer."""
    told = process.read(["sh", "-c", "echo yes; echo no >&2"], error=CompileError, what="x")

    assert "yes\n" == told


def test_read_shows_the_complaint() -> None:
    """Where a program fails, its error output is the evidence."""
    with pytest.raises(CompileError) as caught:
        process.read(["sh", "-c", "echo why >&2; exit 4"], error=CompileError, what="no answer")

    problem = caught.value
    assert ("no answer", "sh exited with 4", "why") == (problem.what, problem.got, problem.detail)


def test_timeout_ends_the_whole_tree(tree: Path, tmp_path: Path) -> None:
    """After its time a program is ended, with all that it started."""
    code, _, _ = process.attempt([tree], cwd=tmp_path, timeout=0.1)

    assert -signal.SIGTERM == code
    assert [] == _left(tmp_path)


def test_program_that_ignores_the_timeout_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not end when asked is ended without being asked."""
    monkeypatch.setattr("pipeline.system.process.child._KILL_AFTER", 0.05)
    script = "trap '' TERM; while :; do sleep 0.01; done"
    code, _, _ = process.attempt(["sh", "-c", script], timeout=0.05)

    assert -signal.SIGKILL == code


@pytest.mark.usefixtures("signals")
def test_interrupt_ends_the_whole_tree(tree: Path, tmp_path: Path, log: Path) -> None:
    """Ctrl-C leaves no program behind, though each has a session of its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_interrupt_when, args=(tmp_path / "ids",)).start()
    with pytest.raises(KeyboardInterrupt):
        process.run([tree], cwd=tmp_path, log=log, error=CompileError, what="x")

    assert [] == _left(tmp_path)
    assert log.read_text().startswith(f"$ {tree}\n")


@pytest.mark.usefixtures("signals")
def test_interrupt_at_any_moment_leaves_nobody(tmp_path: Path, log: Path) -> None:
    """Also one that arrives when a program is there, and its number is not yet known to us."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    script = f"cd {tmp_path}; sleep 60"
    interrupted = 0
    for number in range(60):
        delay = 0.001 + number / 20_000
        ending = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGTERM))
        try:
            ending.start()
            process.run(["sh", "-c", script], log=log, error=CompileError, what="x")
        except KeyboardInterrupt:
            interrupted += 1
        ending.join()

    assert 60 == interrupted
    assert [] == [place for place in Path("/proc").glob("[0-9]*/cwd") if _leads_to(place, tmp_path)]


def _leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:
        return False


SCRIPT = """
import sys
from pathlib import Path
from pipeline import process
from pipeline.errors import CompileError
folder = Path(sys.argv[1])
process.run([folder / "tree"], cwd=folder, log=folder / "log", error=CompileError, what="x")
"""


def test_program_ends_with_us_where_we_are_killed(
    tree: Path, tmp_path: Path, project: Path
) -> None:
    """There is no time to end it, so the kernel does; what it has started is for itself to end."""
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(argv, cwd=project) as us:
        while not (tmp_path / "ids").exists():
            time.sleep(0.005)
        us.kill()
    program, child = (int(word) for word in (tmp_path / "ids").read_text().split())
    deadline = time.monotonic() + 10
    while _runs(program) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child, signal.SIGTERM)

    assert not _runs(program)


def test_telling_lines_come_first(log: Path) -> None:
    """An error that many warnings follow is what the user sees."""
    script = "echo 'a.c:1: error: why'; seq 50; exit 1"
    with pytest.raises(CompileError) as caught:
        process.run(
            ["sh", "-c", script], log=log, error=CompileError, what="x", telling=r"\berror:"
        )
    assert "a.c:1: error: why" == caught.value.detail

    with pytest.raises(CompileError) as caught:
        process.run(["sh", "-c", script], log=log, error=CompileError, what="x", telling="none")
    assert "50" == caught.value.detail.splitlines()[-1]


def test_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    """A folder that is not there is a defect of ours, and is called by its name."""
    with pytest.raises(FileNotFoundError) as caught:
        process.attempt(["true"], cwd=tmp_path / "nowhere")

    assert errno.ENOENT == caught.value.errno


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
