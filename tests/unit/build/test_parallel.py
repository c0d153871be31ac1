"""Several packages at once, in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import parallel
from pipeline.build.progress import Progress
from pipeline.model import Plan
from pipeline.model.errors import CompileError
from pipeline.system.report import Report
from pipeline.toolchain import emulator

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def plans(plan: Plan) -> list[Plan]:
    """Five packages."""
    machines = {f"machine{number}": plan.machine for number in range(5)}
    root = replace(plan.root, machine=machines)
    return [replace(plan, root=root, arch=arch) for arch in machines]


def _runs(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def _ends(process_id: int) -> bool:
    """Whether a process ends within a few seconds."""
    deadline = time.monotonic() + 10
    while _runs(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _runs(process_id)


@pytest.mark.parametrize("jobs", [1, 2, 5, 9])
def test_outcomes_are_in_the_order_of_the_plans(plans: list[Plan], jobs: int) -> None:
    """Whichever is done first, and each in a process of its own."""

    def action(plan: Plan, report: Report) -> Path:
        time.sleep(0.05 if plan.arch == "machine0" else 0)
        return Path(plan.arch, str(os.getpid()))

    outcomes = parallel.run(plans, action, jobs, Progress())

    assert plans == [outcome.plan for outcome in outcomes]
    results = [Path(str(outcome.result)) for outcome in outcomes]
    assert [plan.arch for plan in plans] == [str(result.parent) for result in results]
    assert 5 == len({result.name for result in results} - {str(os.getpid())})


def test_no_more_than_the_jobs_run_at_once(plans: list[Plan], tmp_path: Path) -> None:
    """Two jobs are two: never three, and two at some time."""

    def action(plan: Plan, report: Report) -> Path:
        mark = tmp_path / plan.arch
        mark.touch()
        time.sleep(0.1)
        count = len(list(tmp_path.iterdir()))
        mark.unlink()
        return Path(str(count))

    outcomes = parallel.run(plans, action, 2, Progress())

    assert "2" == max(str(outcome.result) for outcome in outcomes)


def test_a_failure_does_not_stop_the_others(plans: list[Plan]) -> None:
    """The error is the one that was raised, with all its fields."""
    problem = CompileError("no luck", expected="this", got="that", hint="try", file=Path("/log"))

    def action(plan: Plan, report: Report) -> Path:
        if plan.arch == "machine1":
            raise problem
        return Path("good")

    results = [outcome.result for outcome in parallel.run(plans, action, 2, Progress())]

    assert isinstance(results[1], CompileError)
    assert str(problem) == str(results.pop(1))
    assert [Path("good")] * 4 == results


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_a_killed_worker_fails_its_package_only(plans: list[Plan], jobs: int) -> None:
    """By the kernel, for instance, when memory has run out; the others continue."""

    def action(plan: Plan, report: Report) -> Path:
        if plan.arch == "machine3":
            os.kill(os.getpid(), signal.SIGKILL)
        return Path("good")

    results = [outcome.result for outcome in parallel.run(plans, action, jobs, Progress())]

    problem = results.pop(3)
    assert [Path("good")] * 4 == results
    assert f"host: the process that built {plans[3].nevra} has ended without a result" in str(
        problem
    )
    assert "killed by SIGKILL" in str(problem)


def test_a_defect_has_its_traceback(plans: list[Plan], capfd: pytest.CaptureFixture[str]) -> None:
    """It is an error of ours, and hides nothing."""

    def action(plan: Plan, report: Report) -> Path:
        raise ZeroDivisionError("a defect of ours")

    (outcome,) = parallel.run(plans[:1], action, 1, Progress())

    assert "exit code 1" in str(outcome.result)
    assert "ZeroDivisionError: a defect of ours" in capfd.readouterr().err


def test_messages_of_workers_are_shown(
    plans: list[Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines with the package that they are about; steps and downloads only in the live table."""

    def action(plan: Plan, report: Report) -> Path:
        report.begin("fetch")
        with report.download("file", 1) as arrived:
            arrived(1)
        report.line("  a line")
        report.wait("fetch")
        report.step("fetch", 1.0)
        return Path("/folder")

    parallel.run(plans[:1], action, 1, Progress())

    first, second, third = capsys.readouterr().out.splitlines()
    assert f"{plans[0].nevra}: a line" == first
    assert [plans[0].nevra, "done"] == second.split()[:2]
    assert "  /folder" == third


def test_an_interrupt_ends_all_workers(plans: list[Plan], tmp_path: Path) -> None:
    """However the parent ends, no worker continues."""

    def action(plan: Plan, report: Report) -> Path:
        (tmp_path / str(os.getpid())).touch()
        report.line("running")
        time.sleep(60)
        return Path()

    class Interrupted(Progress):
        def line(self, text: str) -> None:
            if len(list(tmp_path.iterdir())) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel.run(plans, action, 2, Interrupted())

    workers = [int(file.name) for file in tmp_path.iterdir()]
    assert [False, False] == [_runs(worker) for worker in workers]


SCRIPT = """
import os, sys, time
from pathlib import Path
from pipeline.build import parallel, selection
from pipeline.build.progress import Progress
from pipeline.model import Selection

def action(plan, report):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(60)

plans = selection.plans(Path(sys.argv[2]), Selection(dist="el7,el8", arch="x86_64"))
parallel.run(plans, action, 2, Progress())
"""


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL leaves no time to end them, so the kernel does."""
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path), str(PROJECT)]
    with subprocess.Popen(argv, cwd=PROJECT) as parent:
        deadline = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.kill()
    workers = [int(file.name) for file in tmp_path.iterdir()]

    assert 2 == len(workers)
    assert [True, True] == [_ends(worker) for worker in workers]


def test_packages_that_may_share_a_library_start_apart(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is emulated comes first, then dist by dist; releases of one dist share nothing."""
    monkeypatch.setattr(emulator, "runs_here", lambda plan: plan.arch != "far")
    plans = [
        replace(
            plan,
            recipe=replace(plan.recipe, version=version),
            root=replace(plan.root, dist=dist),
            arch=arch,
        )
        for version in ("1", "2")
        for dist in ("el7", "el8")
        for arch in ("near", "far")
    ]

    def action(plan: Plan, report: Report) -> Path:
        report.line(plan.label)
        return Path()

    parallel.run(plans, action, 1, Progress())
    lines = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]

    assert [
        "1 el7 far", "2 el7 far", "1 el8 far", "2 el8 far",
        "1 el7 near", "2 el7 near", "1 el8 near", "2 el8 near",
    ] == [line for line in lines if line]  # fmt: skip
