"""Real programs run on the library out of the RPM; and what only looks like it is told apart."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.inspect import payload
from pipeline.model import Built, Emulator, Plan, Trial
from pipeline.model.errors import HostError, SmokeError
from pipeline.smoke import clients, preload, probe, programs, server, suite
from pipeline.smoke.preload import Subject
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler, emulator
from pipeline.toolchain.emulator import Start
from tests.build.conftest import MACHINES, NEWEST, OLD, ROOT, VERSIONS, Package, Which, of_each

# Says that it is the right mimalloc and that every block is its own, and overrides nothing.
LIAR = """
int mi_version(void) { return %d; }
_Bool mi_is_in_heap_region(const void *p) { return p != 0; }
"""

Judge = Callable[[Subject, Path], Trial]


@pytest.fixture(scope="session")
def good(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The library out of a good package."""
    built = package("3.4.3", "el8")
    files = payload.unpack(built.rpm, tmp_path_factory.mktemp("good"))
    return suite.subject(built.plan, files)


@pytest.fixture(scope="session")
def threads(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The probe of many threads."""
    folder = tmp_path_factory.mktemp("probe")
    plan = package("3.4.3", "el8").plan
    return probe.build("threads", plan, workspace.locate(ROOT), folder, folder / "log")


@pytest.fixture(params=["python3", "threads", "pipeline", "nginx"])
def judge(request: pytest.FixtureRequest, threads: Path) -> Judge:
    """Each program in turn."""
    judges: dict[str, Judge] = {
        "python3": programs.python,
        "threads": lambda subject, folder: programs.threads(threads, subject, folder),
        "pipeline": programs.pipeline,
        "nginx": server.trial,
    }
    return judges[request.param]


def smoke(built: Built, plan: Plan, folder: Path) -> tuple[Trial, ...]:
    """The whole suite on a package, as the errand does it."""
    room = folder / "room"
    room.mkdir()
    place = workspace.locate(ROOT)
    return suite.run(plan, built.rpm, room, place, folder / "log", Report())


def liar(plan: Plan, folder: Path) -> Path:
    """A library for the plan's machine that is none, and says that it is."""
    source, library = folder / "liar.c", folder / "libmimalloc.so.3"
    source.write_text(LIAR % plan.recipe.mi_version)
    subprocess.run(
        [*compiler.command(plan), "-shared", "-fPIC", "-o", library, source],
        check=True,
        env={**os.environ, **compiler.environment(plan, workspace.locate(ROOT))},
    )
    return library


def left_below(folder: Path) -> list[str]:
    """The live processes that were started with something in the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in line and int(file.parent.name) != os.getpid():
            found.append(line)
    return found


# The newest release on each of this processor's machines, the others where they always were, and
# a secure one.
HERE = [Which(NEWEST, *machine) for machine in MACHINES if machine[1] != "aarch64"]
HERE += [Which(version, dist) for version in VERSIONS if version != NEWEST for dist in OLD]
HERE += [Which(NEWEST, "el8", flavor="secure")]

# The oldest and the newest dist of another processor.
ELSEWHERE = [Which(version, dist, "aarch64") for version in VERSIONS for dist in ("el7", "el10")]


@of_each([*HERE, *ELSEWHERE])
def test_programs_run_on_the_package(package: Package, tmp_path: Path, which: Which) -> None:
    """Threads, python3, a pipeline and nginx: every claim holds, and no process is left behind.

    Of another machine's there is the one program that we bring ourselves.
    """
    built = package(*which)

    trials = smoke(built, built.plan, tmp_path)

    own = ["python3", "pipeline", "nginx"] if emulator.runs_here(built.plan) else []
    assert ["threads", *own] == [trial.name for trial in trials]
    assert [] == [trial.output for trial in trials if not trial.passed]
    assert [] == left_below(tmp_path)
    log = (tmp_path / "log").read_text()
    for trial in trials:
        assert f"{trial.name}: passed" in log
        level = 4 if which.flavor == "secure" else 0
        assert trial.name in ("pipeline", "nginx") or f"secure level: {level}" in trial.output


def test_a_wrong_path_is_caught(good: Subject, tmp_path: Path, judge: Judge) -> None:
    """The loader prints that it ignores it, and every program runs well, without it."""
    wrong = replace(good, library=good.library.with_name("libmimalloc.so.9"))

    found = judge(wrong, tmp_path)

    assert not found.passed
    assert "cannot be preloaded" in found.output
    assert "bound to the library: expected" in found.output


@pytest.fixture(scope="session")
def emulated(package: Package, tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, Path]:
    """The library out of a good package of another machine, and the probe of threads for it."""
    built, folder = package(NEWEST, "el10", "aarch64"), tmp_path_factory.mktemp("emulated")
    files = payload.unpack(built.rpm, folder)
    program = probe.build("threads", built.plan, workspace.locate(ROOT), folder, folder / "log")
    return suite.subject(built.plan, files), program


def test_a_wrong_path_is_caught_on_another_machine(
    emulated: tuple[Subject, Path], tmp_path: Path
) -> None:
    """The emulated loader says the same, and no variable of ours reaches the emulator."""
    good, program = emulated
    wrong = replace(good, library=good.library.with_name("libmimalloc.so.9"))

    found = programs.threads(program, wrong, tmp_path)

    assert good.runner.command or emulator.HERE is good.runner
    assert not found.passed
    assert "cannot be preloaded" in found.output
    assert "bound to the library: expected" in found.output
    assert "blocks in mimalloc's heap: expected" in found.output


def test_a_library_of_this_machine_is_caught_on_another(
    good: Subject, emulated: tuple[Subject, Path], tmp_path: Path
) -> None:
    """What was built for x86_64 cannot be preloaded by the loader of aarch64."""
    subject, program = emulated

    found = programs.threads(program, replace(subject, library=good.library), tmp_path)

    assert not found.passed
    assert "cannot be preloaded" in found.output


def test_a_library_that_lies_is_caught_on_another_machine(
    package: Package, emulated: tuple[Subject, Path], tmp_path: Path
) -> None:
    """The emulated loader tells who is asked for memory, whatever the library says of itself."""
    subject, program = emulated
    library = liar(package(NEWEST, "el10", "aarch64").plan, tmp_path)

    found = programs.threads(program, replace(subject, library=library), tmp_path)

    assert not found.passed
    assert "bound to the library: expected" in found.output
    assert "cannot be preloaded" not in found.output
    assert "blocks in mimalloc's heap" not in found.output


def test_a_library_that_overrides_nothing_is_caught(
    package: Package, tmp_path: Path, judge: Judge
) -> None:
    """mimalloc built with MI_OVERRIDE=OFF is mapped, the right release, and asked by nobody."""
    plan = package("3.4.3", "el8").plan
    options = {**plan.package.cmake, "MI_OVERRIDE": "OFF"}
    idle = replace(plan, package=replace(plan.package, cmake=options))
    folder = make.step(idle, workspace.locate(ROOT), Report(), "stage", offline=False)

    found = judge(suite.subject(idle, folder / "root"), tmp_path)

    assert not found.passed
    assert "bound to the library: expected" in found.output
    assert "mapped by" not in found.output
    assert "mi_version()" not in found.output


def test_a_library_that_lies_is_caught(package: Package, tmp_path: Path, judge: Judge) -> None:
    """Whatever it says of itself, the loader tells who is asked for memory."""
    plan = package("3.4.3", "el8").plan
    library = liar(plan, tmp_path)

    found = judge(Subject(library, plan.recipe.mi_version), tmp_path)

    assert not found.passed
    assert "bound to the library: expected" in found.output
    assert "blocks in mimalloc's heap" not in found.output


def test_another_flavor_is_caught(good: Subject, threads: Path, tmp_path: Path) -> None:
    """A plain library where a secure one is expected does all that it should; but it says so."""
    found = programs.threads(threads, replace(good, level=4), tmp_path)

    assert (False, "mimalloc says: secure level: expected 4, got 0") == (
        found.passed,
        found.output.splitlines()[0],
    )


@pytest.mark.parametrize("name", ["python", "threads"])
def test_another_release_is_caught(good: Subject, threads: Path, tmp_path: Path, name: str) -> None:
    """It allocates as it should, and is not what the package says."""
    expected = replace(good, version=206)

    found = (
        programs.python(expected, tmp_path)
        if name == "python"
        else programs.threads(threads, expected, tmp_path)
    )

    assert (False, "mi_version(): expected 206, got 30403") == (
        found.passed,
        found.output.splitlines()[0],
    )


def test_workers_without_the_library_are_caught(
    good: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx that was started without it serves all the same: maps and loader tell."""
    start = preload.start

    def unset(
        argv: Sequence[str | Path],
        subject: Subject,
        traces: Path,
        env: Mapping[str, str] | None = None,
    ) -> Start:
        return start(argv, subject.bare(), traces, env)

    monkeypatch.setattr(preload, "start", unset)

    found = server.trial(good, tmp_path)

    lines = found.output.splitlines()
    nowhere = "; ".join(f"{who} no libmimalloc" for who in ("master", "worker 1", "worker 2"))
    assert not found.passed
    assert lines[0].endswith("got none")
    assert 2 == sum(line.endswith(f"got {nowhere}") for line in lines)
    assert "mimalloc says: process done: expected 5 times, got 0 times" in lines
    assert not [line for line in lines if line.startswith(("requests", "answers", "exit"))]


def test_no_server_stays_where_its_visitors_fail(
    good: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens, master and workers have ended."""

    def failing(*_: object) -> clients.Visit:
        assert 1 <= len(left_below(tmp_path))
        raise ZeroDivisionError

    monkeypatch.setattr(clients, "ask", failing)

    with pytest.raises(ZeroDivisionError):
        server.serve(good, tmp_path / "nginx")

    assert [] == left_below(tmp_path)


def test_a_failing_smoke_tells_every_broken_claim(package: Package, tmp_path: Path) -> None:
    """Exit code 29, the program and its claims, the log, and how to look at it by hand."""
    built = package("3.4.3", "el8")
    other = replace(built.plan, recipe=replace(built.plan.recipe, mi_version=1))

    with pytest.raises(SmokeError) as caught:
        smoke(built, other, tmp_path)

    told = caught.value.lines()
    assert 29 == caught.value.exit_code
    assert f"smoke: 2 of 4 programs do not run as they should on {built.rpm.name}" == told[0]
    assert "  python3: mi_version(): expected 1, got 30403" in told
    assert "  threads: mi_version(): expected 1, got 30403" in told
    assert f"  file:     {tmp_path / 'log'}" in told
    assert f"  try:      rpm2cpio {built.rpm} | cpio -idm" in told
    assert "threads has said:" in (tmp_path / "log").read_text()


def test_programs_of_another_machine_are_refused(package: Package, tmp_path: Path) -> None:
    """Where no emulator runs them they cannot be tried, and that is no fault of the package."""
    built = package("3.4.3", "el8")
    other = replace(built.plan.processor, name="s390x", emulator=Emulator("qemu-none", "/nowhere"))

    with pytest.raises(HostError, match="what is made for x86-64 cannot be tried on this machine"):
        smoke(built, replace(built.plan, processor=other), tmp_path)

    assert not (tmp_path / "log").exists()


def test_without_a_package_the_command_that_makes_it_is_told(
    invoke: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """`invoke smoke` builds nothing itself."""
    done = invoke("smoke", "--version", "3.4.3", "--dist", "el8", "--arch", "x86_64")

    assert 2 == done.returncode
    assert "there is no such package yet" in done.stderr
    assert "try:      invoke build --version 3.4.3 --dist el8 --arch x86_64" in done.stderr
