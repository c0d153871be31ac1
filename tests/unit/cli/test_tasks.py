"""The tasks of invoke: their flags, and errors as messages with exit codes."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from cli import command, packages
from pipeline.build.order import STEPS
from pipeline.commands import build, manifest, smoke
from pipeline.model import Selection
from pipeline.model.errors import CompileError, PackagingError, RequestError
from tests.unit.server import Answer, Server

pytestmark = pytest.mark.usefixtures("signals")


# --- in this process -----------------------------------------------------------------------------


def test_steps_have_their_tasks() -> None:
    """The names of the steps are the names of the tasks, in the same order."""
    assert [step.name for step in STEPS] == list(packages.STEPS)
    assert set(packages.BUILD_TASKS) <= set(tasks.namespace.task_names)


def test_every_task_has_one_line_and_every_flag_its_help() -> None:
    """`invoke --list` reads like a table of contents."""
    for name, task in tasks.namespace.tasks.items():
        purpose, *more = (task.__doc__ or "").splitlines()
        assert purpose.endswith("."), name
        assert [] == more, name
        assert [] == [flag.name for flag in task.get_arguments() if not flag.help], name


def test_every_task_of_packages_has_the_flags_that_select_them() -> None:
    """What was built can be smoked with the same flags."""
    for name in ("smoke", "manifest", *packages.BUILD_TASKS):
        flags = {flag.name for flag in tasks.namespace[name].get_arguments()}

        assert set(command.PACKAGE_FLAGS) <= flags, name


@pytest.mark.parametrize("name", ["build", "stage", "smoke", "manifest"])
def test_a_task_passes_the_selection_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the user wrote it, in one call."""
    flags = {"version": "2.0.6,3.4.3", "dist": "all", "arch": "x86_64_v2", "flavor": "secure"}
    selections: list[Selection] = []

    def run(root: Path, selection: Selection, *_: object, **__: object) -> None:
        selections.append(selection)

    for module in (build, smoke, manifest):
        monkeypatch.setattr(module, "run", run)
    tasks.namespace[name](Context(), **flags)

    assert [Selection(**flags)] == selections


@pytest.mark.parametrize("text", ["x", "-1", "0", "1.5", "²", "1\n", "9" * 5000])
def test_a_number_is_one_or_more(text: str) -> None:
    """Anything else is a message; a number may be left out."""
    with pytest.raises(RequestError) as caught:
        command.number("jobs", text)

    assert ("--jobs", "a number of 1 or more", text) == (
        caught.value.what,
        caught.value.expected,
        caught.value.got,
    )
    assert (0, 12) == (command.number("jobs", ""), command.number("jobs", "12"))


def test_build_is_the_default_task() -> None:
    """`invoke` alone builds the default package."""
    assert "build" == tasks.namespace.default


def _exit(problem: BaseException) -> Exit:
    def body(c: Context) -> None:
        raise problem

    with pytest.raises(Exit) as caught:
        command.command()(body)(Context())
    return caught.value


def test_error_comes_out_as_message_and_code() -> None:
    """The message is printed by invoke; the cause is not."""
    problem = CompileError("no luck", hint="this")
    exit = _exit(problem)

    assert (str(problem), 25) == (exit.message, exit.code)
    assert exit.__suppress_context__


def test_interrupt_comes_out_as_130() -> None:
    """Ctrl-C is no defect."""
    exit = _exit(KeyboardInterrupt())

    assert 130 == exit.code
    assert "interrupted: unfinished results are not used" in str(exit.message)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_is_like_an_interrupt(number: signal.Signals) -> None:
    """A request to end, or a closed terminal, ends a run in the same way."""
    # Under nohup it would be ignored.
    signal.signal(number, signal.SIG_DFL)

    def body(c: Context) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)

    with pytest.raises(Exit) as caught:
        command.command()(body)(Context())

    assert 130 == caught.value.code


def test_hangup_that_is_ignored_stays_ignored() -> None:
    """`nohup invoke build` continues when the terminal is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    results: list[bool] = []

    def body(c: Context) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        results.append(True)

    command.command()(body)(Context())

    assert [True] == results


def test_a_defect_keeps_its_traceback() -> None:
    """What no user can cause is no message of ours."""

    def body(c: Context) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        command.command()(body)(Context())

    assert not isinstance(caught.value, PackagingError)


# --- in a copy of the project --------------------------------------------------------------------


@pytest.fixture
def copy(checkout: Path, project: Path) -> Path:
    """The scratch checkout, with the code in it."""
    for name in ("cli", "pipeline"):
        shutil.copytree(
            project / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copyfile(project / "tasks.py", checkout / "tasks.py")
    return checkout


def _start(copy: Path, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-B", "-m", "invoke", *arguments],
        cwd=copy,
        env={**os.environ, "MIMALLOC_CACHE": str(copy.parent / "cache"), "PYTHONUNBUFFERED": "1"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(copy: Path, *arguments: str) -> tuple[int, str, str]:
    with _start(copy, *arguments) as child:
        output, errors = child.communicate(timeout=30)
    return child.returncode, output, errors


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["build", "--version", "2.0.66"], 2, ["unknown version 2.0.66", "2.0.6", "invoke list"]),
        (["fetch", "--version", "2.0.6", "--offline"], 20, ["not in the cache", "--source"]),
        (["--dry", "clean"], 2, ["--dry", "invoke bump --dry-run"]),
        (["build", "--jobs", "many"], 2, ["--jobs", "a number of 1 or more"]),
        (["verify", "x" * 3000], 12, ["a path is too long", "name a shorter one"]),
        (
            ["release", "--version", "2.0.6", "--release", "9", "--reason", "%(id)"],
            10,
            ["without %"],
        ),
    ],
)
def test_failure_shows_no_traceback(
    copy: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    """What a user can cause is a message on the error output, and the documented exit code."""
    actual, _, errors = _run(copy, *arguments)

    assert code == actual
    assert "Traceback" not in errors
    assert [] == [word for word in words if word not in errors]


def test_unusable_recipe_shows_no_traceback(copy: Path) -> None:
    """Its message has every complaint."""
    file = copy / "recipes" / "2.0.6.toml"
    file.write_text(file.read_text().replace("mi_version = 206", "mi_version = true\nbogus = 1"))
    code, _, errors = _run(copy, "build", "--version", "2.0.6")

    assert 10 == code
    assert "Traceback" not in errors
    assert "mi_version: expected int, got True" in errors
    assert "unknown key bogus" in errors


def test_a_reader_that_has_ended_is_no_error(copy: Path) -> None:
    """`invoke list | head -1` prints one line, and complains of nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    with _start(copy, "doctor", stdout=writing) as child:
        os.close(writing)
        _, errors = child.communicate(timeout=30)

    assert "" == errors


@pytest.mark.parametrize("variables", [{}, {"CI": "1"}, {"NO_COLOR": "1", "COLUMNS": "60"}])
def test_a_pipe_gets_plain_lines(
    copy: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """No escape sequences and no line breaks, whatever the environment says."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, output, errors = _run(copy, "doctor")

    assert 0 == code, errors
    assert "\x1b" not in output + errors
    assert max(map(len, output.splitlines())) > 60


def test_termination_during_a_download(copy: Path, http: Server) -> None:
    """SIGTERM ends a run with 130, and nothing of it counts."""
    go = threading.Event()
    http.answers = [Answer(b"x", until=go)]
    with _start(copy, "fetch", "--version", "2.0.6", "--source", http.url) as child:
        while not http.requests and child.poll() is None:
            time.sleep(0.005)
        child.send_signal(signal.SIGTERM)
        _, errors = child.communicate(timeout=30)
    go.set()

    assert 130 == child.returncode
    assert "interrupted: unfinished results are not used" in errors
    assert "Traceback" not in errors
    assert [] == list((copy / "work").rglob("contents"))
