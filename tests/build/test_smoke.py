"""Real programs run on the library out of the RPM; and a library that is not in use is found."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import HostError, SmokeError
from pipeline.smoke import nginx, probe, suite
from pipeline.smoke.preload import LibraryUnderTest
from pipeline.smoke.suite import Run
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler, emulator
from tests.build.conftest import MACHINES, NEWEST, OLD, ROOT, VERSIONS, Package, Which, of_each

# It claims to be the right mimalloc and that every block is its own, and overrides nothing.
IMPOSTOR = """
int mi_version(void) { return %d; }
_Bool mi_is_in_heap_region(const void *p) { return p != 0; }
"""

Suite = Callable[[Plan, Path], tuple[Trial, ...]]


@pytest.fixture(scope="session")
def good(package: Package, tmp_path_factory: pytest.TempPathFactory) -> LibraryUnderTest:
    """The library out of a good package."""
    built = package("3.4.3", "el8")
    files = payload.unpack(built.rpm, tmp_path_factory.mktemp("good"))
    return suite.library_of(built.plan, files)


@pytest.fixture(scope="session")
def threads(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The probe of many threads."""
    folder = tmp_path_factory.mktemp("probe")
    plan = package("3.4.3", "el8").plan
    target, log = folder / "threads", folder / "log"
    return probe.compiled("threads", plan, workspace.locate(ROOT), target, log)


@pytest.fixture(params=["python3", "threads", "pipeline", "nginx"])
def run(request: pytest.FixtureRequest, threads: Path) -> Run:
    """Each program in turn."""
    return suite.programs(threads)[request.param]


@pytest.fixture
def smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Runs the whole suite on a package, as the command does; all its files are below tmp_path."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = replace(workspace.locate(ROOT), root=tmp_path)
    return lambda plan, rpm: suite.run(plan, rpm, place, Report())


def log_of(plan: Plan, folder: Path) -> Path:
    """The log of the suite."""
    return suite.log_of(plan, replace(workspace.locate(ROOT), root=folder))


def impostor(plan: Plan, folder: Path) -> Path:
    """A library for the plan's machine that only claims to be mimalloc."""
    source, library = folder / "impostor.c", folder / "libmimalloc.so.3"
    source.write_text(IMPOSTOR % plan.recipe.mi_version)
    subprocess.run(
        # Without -O, zig compiles a sanitizer's runtime first, which takes 20 seconds.
        [*compiler.command(plan), "-O1", "-fno-builtin", "-shared", "-fPIC", "-o", library, source],
        check=True,
        env={**os.environ, **compiler.environment(plan, workspace.locate(ROOT))},
    )
    return library


def processes_below(folder: Path) -> list[str]:
    """The live processes that have the folder in their command."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command and int(file.parent.name) != os.getpid():
            commands.append(command)
    return commands


# The newest release on each machine that this processor runs, the others on the oldest dists, and
# a secure one.
HERE = [Which(NEWEST, *machine) for machine in MACHINES if machine[1] != "aarch64"]
HERE += [Which(version, dist) for version in VERSIONS if version != NEWEST for dist in OLD]
HERE += [Which(NEWEST, "el8", flavor="secure")]

# The oldest and the newest dist of another processor.
ELSEWHERE = [Which(version, dist, "aarch64") for version in VERSIONS for dist in ("el7", "el10")]


@of_each([*HERE, *ELSEWHERE])
def test_programs_run_on_the_package(
    package: Package, smoke: Suite, tmp_path: Path, which: Which
) -> None:
    """Threads, python3, a pipeline and nginx: every assertion holds, and every process has ended.

    For another machine there is one program, the probe that this project brings.
    """
    built = package(*which)

    trials = smoke(built.plan, built.rpm)

    own = ["python3", "pipeline", "nginx"] if emulator.runs_here(built.plan) else []
    assert ["threads", *own] == [trial.name for trial in trials]
    assert [] == [trial.output for trial in trials if not trial.passed]
    assert [] == processes_below(tmp_path)
    log = log_of(built.plan, tmp_path).read_text()
    for trial in trials:
        assert f"{trial.name}: passed" in log
        level = f"secure level that mimalloc prints: {built.plan.flavor.level}"
        assert trial.name in ("pipeline", "nginx") or level in trial.output


def test_the_result_of_the_threads_is_the_same_without_the_library(threads: Path) -> None:
    """It is what the release's own run is compared with."""
    done = subprocess.run([threads], capture_output=True, text=True, check=False)

    assert 2 == done.returncode
    assert f"result {suite.RESULTS['threads']}" == done.stdout.splitlines()[0]


def test_a_wrong_path_is_found(good: LibraryUnderTest, tmp_path: Path, run: Run) -> None:
    """The loader prints that it ignores it, and every program runs well, without it."""
    wrong = replace(good, path=good.path.with_name("libmimalloc.so.9"))

    trial = run(wrong, tmp_path)

    assert not trial.passed
    assert "cannot be preloaded" in trial.output
    assert "bound to the library: expected" in trial.output


@pytest.fixture(scope="session")
def emulated(
    package: Package, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LibraryUnderTest, Path]:
    """The library out of a good package of another machine, and the probe of threads for it."""
    built, folder = package(NEWEST, "el10", "aarch64"), tmp_path_factory.mktemp("emulated")
    files = payload.unpack(built.rpm, folder)
    target, log = folder / "threads", folder / "log"
    program = probe.compiled("threads", built.plan, workspace.locate(ROOT), target, log)
    return suite.library_of(built.plan, files), program


def test_a_wrong_path_is_found_on_another_machine(
    emulated: tuple[LibraryUnderTest, Path], tmp_path: Path
) -> None:
    """The emulated loader prints the same, and no variable of ours reaches the emulator."""
    good, program = emulated
    wrong = replace(good, path=good.path.with_name("libmimalloc.so.9"))

    trial = suite.programs(program)["threads"](wrong, tmp_path)

    assert not trial.passed
    assert "cannot be preloaded" in trial.output
    assert "bound to the library: expected" in trial.output
    assert "blocks in mimalloc's heap: expected" in trial.output


def test_a_library_of_this_machine_is_found_on_another(
    good: LibraryUnderTest, emulated: tuple[LibraryUnderTest, Path], tmp_path: Path
) -> None:
    """The loader of aarch64 cannot preload what was built for x86_64."""
    library, program = emulated

    trial = suite.programs(program)["threads"](replace(library, path=good.path), tmp_path)

    assert not trial.passed
    assert "cannot be preloaded" in trial.output


def test_an_impostor_is_found_on_another_machine(
    package: Package, emulated: tuple[LibraryUnderTest, Path], tmp_path: Path
) -> None:
    """The emulated loader shows what is called, whatever the library claims."""
    library, program = emulated
    path = impostor(package(NEWEST, "el10", "aarch64").plan, tmp_path)

    trial = suite.programs(program)["threads"](replace(library, path=path), tmp_path)

    assert not trial.passed
    assert "bound to the library: expected" in trial.output
    assert "cannot be preloaded" not in trial.output
    assert "blocks in mimalloc's heap" not in trial.output


def test_a_library_that_overrides_nothing_is_found(
    package: Package, tmp_path: Path, run: Run
) -> None:
    """mimalloc built with MI_OVERRIDE=OFF is mapped, the right release, and never called."""
    plan = package("3.4.3", "el8").plan
    options = {**plan.package.cmake, "MI_OVERRIDE": "OFF"}
    idle = replace(plan, package=replace(plan.package, cmake=options))
    folder = make.step(idle, workspace.locate(ROOT), Report(), "stage")

    trial = run(suite.library_of(idle, folder / "root"), tmp_path)

    assert not trial.passed
    assert "bound to the library: expected" in trial.output
    assert "mapped by" not in trial.output
    assert "mi_version()" not in trial.output


def test_an_impostor_is_found(package: Package, tmp_path: Path, run: Run) -> None:
    """The loader shows what is called, whatever the library claims."""
    plan = package("3.4.3", "el8").plan
    path = impostor(plan, tmp_path)

    trial = run(LibraryUnderTest(path, plan.recipe.mi_version), tmp_path)

    assert not trial.passed
    assert "bound to the library: expected" in trial.output
    assert "blocks in mimalloc's heap" not in trial.output


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ((30403, 4), "secure level that mimalloc prints: expected 4, got 0"),
        ((206, 0), "mi_version(): expected 206, got 30403"),
    ],
)
@pytest.mark.parametrize("name", ["python3", "threads"])
def test_another_flavor_and_another_release_are_found(
    good: LibraryUnderTest,
    threads: Path,
    tmp_path: Path,
    name: str,
    expected: tuple[int, int],
    line: str,
) -> None:
    """It allocates as it should, but it is not what the package says."""
    trial = suite.programs(threads)[name](LibraryUnderTest(good.path, *expected), tmp_path)

    assert (False, line) == (trial.passed, trial.output)


def test_workers_without_the_library_are_found(
    good: LibraryUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx that was started without it serves all the same: kernel and loader show it."""
    monkeypatch.setattr(LibraryUnderTest, "variables", lambda *_: {})

    trial = nginx.trial(good, tmp_path)

    names = ("master", "worker 1", "worker 2")
    nowhere = "; ".join(f"{name} no libmimalloc" for name in names)
    mapped = f"mapped by {', '.join(names)}: expected {good.path.resolve()}, got {nowhere}"
    assert not trial.passed
    assert [
        "processes in the loader's output: expected 1, got 0",
        "messages 'process init' of mimalloc: expected 1, got 0",
        mapped,
        mapped,
        "messages 'process done' of mimalloc: expected 5, got 0",
    ] == trial.output.splitlines()


def test_no_server_is_left_where_the_requests_fail(
    good: LibraryUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens, master and workers have ended."""

    def fail(*_: object) -> None:
        assert 1 <= len(processes_below(tmp_path))
        raise ZeroDivisionError

    monkeypatch.setattr(nginx, "request_all", fail)

    with pytest.raises(ZeroDivisionError):
        nginx.trial(good, tmp_path)

    assert [] == processes_below(tmp_path)


def test_a_failing_smoke_test_lists_every_failed_assertion(
    package: Package, smoke: Suite, tmp_path: Path
) -> None:
    """Exit code 29, the programs and their assertions, the log, and how to repeat it by hand."""
    built = package("3.4.3", "el8")
    other = replace(built.plan, recipe=replace(built.plan.recipe, mi_version=1))

    with pytest.raises(SmokeError) as caught:
        smoke(other, built.rpm)

    lines, log = caught.value.lines(), log_of(other, tmp_path)
    assert 29 == caught.value.exit_code
    assert f"smoke: 2 of 4 programs do not run as they should on {built.rpm.name}" == lines[0]
    assert "  python3: mi_version(): expected 1, got 30403" in lines
    assert "  threads: mi_version(): expected 1, got 30403" in lines
    assert f"  file:     {log}" in lines
    assert f"  try:      rpm2cpio {built.rpm} | cpio -idm" in lines
    assert "threads: FAILED\n    mi_version(): expected 1, got 30403\noutput:\n" in log.read_text()


def test_programs_of_another_machine_are_refused(
    package: Package, smoke: Suite, tmp_path: Path
) -> None:
    """Where no emulator runs them they cannot be tested, and the package is not at fault."""
    built = package("3.4.3", "el8")
    other = replace(built.plan.processor, name="s390x", emulator="qemu-none")
    plan = replace(built.plan, processor=other)

    with pytest.raises(HostError, match="programs for x86-64 cannot run on this host"):
        smoke(plan, built.rpm)

    assert not log_of(plan, tmp_path).exists()


def test_without_a_package_the_message_has_the_command_that_makes_it(
    invoke: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """`invoke smoke` builds nothing itself."""
    done = invoke("smoke", "--version", "3.4.3", "--dist", "el8", "--arch", "x86_64")

    assert 2 == done.returncode
    assert "there is no such package yet" in done.stderr
    assert "try:      invoke build --version 3.4.3 --dist el8 --arch x86_64" in done.stderr
