"""`tasks`: the doors. What goes wrong behind them comes out as a message and an exit code."""

from __future__ import annotations

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
from pipeline.build import selection
from pipeline.build.order import STEPS
from pipeline.commands import build
from pipeline.model import Plan
from pipeline.model.errors import CompileError, PackagingError
from tests.unit.server import Answer, Server

pytestmark = pytest.mark.usefixtures("signals")


# --- in this process -----------------------------------------------------------------------------


def test_steps_have_their_doors() -> None:
    """The names of the steps are the names of the tasks, in the same order."""
    assert [step.name for step in STEPS] == list(packages.PURPOSES)
    assert set(packages.PURPOSES) <= set(tasks.namespace.task_names)


def test_every_task_has_its_line_and_every_flag_its_help() -> None:
    """`invoke --list` reads like a table of contents."""
    for name, task in tasks.namespace.tasks.items():
        purpose, *more = (task.__doc__ or "").splitlines()
        assert purpose.endswith("."), name
        assert [] == more, name
        assert [] == [flag.name for flag in task.get_arguments() if not flag.help], name


def test_every_door_to_packages_has_the_flags_that_name_them() -> None:
    """Whoever has built a secure package can smoke it with the same words."""
    for name in ("build", "smoke", "manifest", *packages.PURPOSES):
        flags = {flag.name for flag in tasks.namespace[name].get_arguments()}

        assert set(command.PACKAGE) <= flags, name


@pytest.mark.parametrize("name", ["build", "stage", "smoke", "manifest"])
def test_a_door_hands_on_what_names_a_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was said, to the one who knows what it means; nothing else is done by a door."""
    said = {"version": "2.0.6,3.4.3", "dist": "all", "arch": "x86_64_v2", "flavor": "secure"}
    heard: list[dict[str, object]] = []

    def plans(root: Path, **asked: object) -> list[Plan]:
        heard.append(asked)
        return []

    monkeypatch.setattr(selection, "plans", plans)
    for act in ("make", "smoke", "manifest"):
        monkeypatch.setattr(build, act, lambda *_, **__: None)
    tasks.namespace[name](Context(), **said)

    (asked,) = heard
    assert said.items() <= asked.items()


def test_build_is_what_is_done_without_a_word() -> None:
    """`invoke` alone builds the default package."""
    assert "build" == tasks.namespace.default


def _ended(problem: BaseException) -> Exit:
    def body(c: Context) -> None:
        raise problem

    with pytest.raises(Exit) as caught:
        command.command(body)(Context())
    return caught.value


def test_error_comes_out_as_message_and_code() -> None:
    """The message is printed by invoke; the cause is not."""
    problem = CompileError("no luck", hint="this")
    ended = _ended(problem)

    assert (str(problem), 25) == (ended.message, ended.code)
    assert ended.__suppress_context__


def test_interrupt_comes_out_as_130() -> None:
    """Ctrl-C is no defect."""
    ended = _ended(KeyboardInterrupt())

    assert 130 == ended.code
    assert "interrupted: nothing half-made was kept" in str(ended.message)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_is_like_an_interrupt(number: signal.Signals) -> None:
    """Whoever asks us to end, or closes the terminal, gets the same tidy end."""
    # Whoever runs the tests under nohup has had it ignored.
    signal.signal(number, signal.SIG_DFL)

    def body(c: Context) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)

    with pytest.raises(Exit) as caught:
        command.command(body)(Context())

    assert 130 == caught.value.code


def test_hangup_that_is_ignored_stays_ignored() -> None:
    """`nohup invoke build` goes on after the terminal has gone."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    went_on: list[bool] = []

    def body(c: Context) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        went_on.append(True)

    command.command(body)(Context())

    assert [True] == went_on


def test_defect_is_not_dressed_up() -> None:
    """What no user can cause keeps its traceback."""

    def body(c: Context) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        command.command(body)(Context())

    assert not isinstance(caught.value, PackagingError)


# --- in a copy of the project --------------------------------------------------------------------


@pytest.fixture
def copy(checkout: Path, project: Path) -> Path:
    """The scratch checkout, with the code in it."""
    for name in ("doors", "pipeline"):
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
        output, complaint = child.communicate(timeout=30)
    return child.returncode, output, complaint


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["build", "--version", "2.0.66"], 2, ["unknown version 2.0.66", "2.0.6", "invoke list"]),
        (["fetch", "--version", "2.0.6", "--offline"], 20, ["not in the cache", "--source"]),
    ],
)
def test_failure_shows_no_traceback(
    copy: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    """What a user can cause is a message on the error output, and the documented exit code."""
    ended, _, complaint = _run(copy, *arguments)

    assert code == ended
    assert "Traceback" not in complaint
    assert [] == [word for word in words if word not in complaint]


def test_unusable_recipe_shows_no_traceback(copy: Path) -> None:
    """Whoever writes a recipe reads complaints, and no stack."""
    file = copy / "recipes" / "2.0.6.toml"
    file.write_text(file.read_text().replace("mi_version = 206", "mi_version = true\nbogus = 1"))
    code, _, complaint = _run(copy, "build", "--version", "2.0.6")

    assert 10 == code
    assert "Traceback" not in complaint
    assert "mi_version: expected int, got True" in complaint
    assert "unknown key bogus" in complaint


def test_reader_that_has_gone_ends_it_quietly(copy: Path) -> None:
    """`invoke list | head -1` prints one line, and complains of nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    with _start(copy, "doctor", stdout=writing) as child:
        os.close(writing)
        _, complaint = child.communicate(timeout=30)

    assert "" == complaint


def test_termination_during_a_download(copy: Path, http: Server) -> None:
    """SIGTERM ends a run with 130, and nothing of it counts."""
    go = threading.Event()
    http.answers = [Answer(b"x", until=go)]
    with _start(copy, "fetch", "--version", "2.0.6", "--source", http.url) as child:
        while not http.asked and child.poll() is None:
            time.sleep(0.005)
        child.send_signal(signal.SIGTERM)
        _, complaint = child.communicate(timeout=30)
    go.set()

    assert 130 == child.returncode
    assert "interrupted: nothing half-made was kept" in complaint
    assert "Traceback" not in complaint
    assert [] == list((copy / "work").rglob("done"))
