"""`grid`: many packages at once, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import parallel
from pipeline.build.progress import Board
from pipeline.model import Plan
from pipeline.model.errors import CompileError
from pipeline.system.report import Report
from pipeline.toolchain import emulator

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plans(plan: Plan) -> list[Plan]:
    """Five packages."""
    return [replace(plan, arch=f"machine{number}") for number in range(5)]


def _alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def _gone(process_id: int) -> bool:
    """Whether a process ends within a few seconds."""
    deadline = time.monotonic() + 10
    while _alive(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(process_id)


@pytest.mark.parametrize("jobs", [1, 2, 5, 9])
def test_outcomes_come_as_planned(plans: list[Plan], jobs: int) -> None:
    """Whoever is done first, and in whatever process."""

    def act(plan: Plan, report: Report) -> Path:
        time.sleep(0.05 if plan.arch == "machine0" else 0)
        return Path(plan.arch, str(os.getpid()))

    found = parallel.run(plans, act, jobs, Board())

    assert plans == [outcome.plan for outcome in found]
    results = [outcome.result for outcome in found]
    assert [plan.arch for plan in plans] == [str(Path(str(each)).parent) for each in results]
    workers = {Path(str(each)).name for each in results}
    assert 5 == len(workers - {str(os.getpid())})


def test_no_more_than_asked_are_at_work(plans: list[Plan], tmp_path: Path) -> None:
    """Two at once are two: never three, and two at some time."""

    def act(plan: Plan, report: Report) -> Path:
        mine = tmp_path / plan.arch
        mine.touch()
        time.sleep(0.1)
        there = len(list(tmp_path.iterdir()))
        mine.unlink()
        return Path(str(there))

    found = parallel.run(plans, act, 2, Board())

    assert "2" == max(str(outcome.result) for outcome in found)


def test_a_failure_stops_nobody_else(plans: list[Plan]) -> None:
    """The problem comes back as it was raised, with all that it says."""
    problem = CompileError("no luck", expected="this", got="that", hint="try", file=Path("/log"))

    def act(plan: Plan, report: Report) -> Path:
        if plan.arch == "machine1":
            raise problem
        return Path("good")

    found = parallel.run(plans, act, 2, Board())

    assert [None, str(problem), None, None, None] == [
        outcome.problem and str(outcome.problem) for outcome in found
    ]
    assert isinstance(found[1].problem, CompileError)


def test_a_worker_that_is_killed_is_told(plans: list[Plan]) -> None:
    """By the kernel, say, that has run out of memory; the others go on."""

    def act(plan: Plan, report: Report) -> Path:
        if plan.arch == "machine3":
            os.kill(os.getpid(), signal.SIGKILL)
        return Path("good")

    found = parallel.run(plans, act, 2, Board())

    problem = found[3].problem
    assert problem is not None
    assert f"the process that made {plans[3].nevra} is gone" == problem.what
    assert "ended by SIGKILL" == problem.got
    assert 4 == sum(outcome.result == Path("good") for outcome in found)


def test_a_defect_is_told_with_its_traceback(
    plans: list[Plan], capfd: pytest.CaptureFixture[str]
) -> None:
    """It is no user's fault, and hides nothing."""

    def act(plan: Plan, report: Report) -> Path:
        raise ZeroDivisionError("a defect of ours")

    found = parallel.run(plans[:1], act, 1, Board())

    assert found[0].problem is not None
    assert "exit code 1" == found[0].problem.got
    assert "ZeroDivisionError: a defect of ours" in capfd.readouterr().err


def test_news_reach_the_board(plans: list[Plan], capsys: pytest.CaptureFixture[str]) -> None:
    """Lines are told with the package they are about; steps and downloads make no line."""

    def act(plan: Plan, report: Report) -> Path:
        report.begin("fetch")
        with report.download("file", 1) as arrived:
            arrived(1)
        report.line("  a line")
        report.wait("fetch", "another run is at it")
        report.step("fetch", 1.0)
        return Path("/room")

    parallel.run(plans[:1], act, 1, Board())

    first, second, third = capsys.readouterr().out.splitlines()
    assert f"{plans[0].nevra}: a line" == first
    assert [plans[0].nevra, "done"] == second.split()[:2]
    assert "  /room" == third


def test_an_interrupt_ends_all_workers(plans: list[Plan], tmp_path: Path) -> None:
    """However we end, nobody goes on behind our back."""

    def act(plan: Plan, report: Report) -> Path:
        (tmp_path / str(os.getpid())).touch()
        report.line("here")
        time.sleep(60)
        return Path()

    class Interrupted(Board):
        def line(self, plan: Plan, text: str) -> None:
            if len(list(tmp_path.iterdir())) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel.run(plans, act, 2, Interrupted())

    workers = [int(file.name) for file in tmp_path.iterdir()]
    assert [False, False] == [_alive(worker) for worker in workers]


SCRIPT = """
import os, sys, time
from pathlib import Path
from pipeline import grid, request
from pipeline.board import Board

def act(plan, report):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(60)

root = Path(sys.argv[2])
grid.run(request.plans(root, dist="el7,el8", arch="x86_64"), act, 2, Board())
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves no time to end anybody, so the kernel does it."""
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path), str(PROJECT)]
    with subprocess.Popen(argv, cwd=PROJECT) as parent:
        deadline = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.kill()
    workers = [int(file.name) for file in tmp_path.iterdir()]

    assert 2 == len(workers)
    assert [True, True] == [_gone(worker) for worker in workers]


def test_order_keeps_sharers_apart(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is emulated comes first, then dist by dist; releases of one dist share nothing."""
    monkeypatch.setattr(emulator, "runs_here", lambda plan: plan.arch != "far")
    old, new = (replace(plan.root, dist=dist) for dist in ("el7", "el8"))
    one, two = (replace(plan, recipe=replace(plan.recipe, version=v)) for v in ("1", "2"))
    plans = [
        replace(each, root=root, arch=arch)
        for each in (one, two)
        for root in (old, new)
        for arch in ("near", "far")
    ]

    assert [
        "1 el7 far", "2 el7 far", "1 el8 far", "2 el8 far",
        "1 el7 near", "2 el7 near", "1 el8 near", "2 el8 near",
    ] == [each.label for each in parallel.order(plans)]  # fmt: skip
