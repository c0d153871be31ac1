"""The trials of every package find faults of the files that other programs link with."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import CheckError
from pipeline.smoke import trials
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler, emulator
from tests.build import upstream
from tests.build.conftest import NEWEST, ROOT, Package, unpacked_in

Try = Callable[[Callable[[Path], None]], dict[str, Trial]]


@pytest.fixture
def attempt(package: Package, checkout: Path) -> Try:
    """Spoils a good package's static library or object file, and runs the trials."""
    plan = package("2.0.9", "el7").plan

    def spoilt(spoil: Callable[[Path], None]) -> dict[str, Trial]:
        dirs = unpacked_in(checkout, plan)
        spoil(dirs.unpacked / plan.package.libraries.relative_to("/") / "mimalloc-2.0")
        return {trial.name: trial for trial in trials.run(plan, dirs)}

    return spoilt


def test_good_files_pass(attempt: Try) -> None:
    """As they are packaged, all trials pass."""
    results = attempt(lambda folder: None)

    assert set(trials.NAMES) <= set(results)
    assert [] == [trial for trial in results.values() if not trial.passed]


def test_a_library_of_another_flavor_is_found(package: Package, checkout: Path) -> None:
    """It does all that it should, but it prints another secure level than the planned one."""
    plan = package(NEWEST, "el7").plan
    good = make.step_dirs(plan, workspace.locate(ROOT)).unpacked
    other = replace(plan, flavor=replace(plan.flavor, level=4))
    dirs = unpacked_in(checkout, other, good)

    results = {trial.name: trial for trial in trials.run(other, dirs)}

    assert not results["aligned"].passed
    assert results["aligned"].output.endswith("it does not print `secure level: 4`")
    assert "misaligned 0 corrupt 0 failed 0" in results["aligned"].output
    assert (True, True) == (results["archive"].passed, results["object"].passed)


def test_a_library_for_a_newer_arm_dies(package: Package, checkout: Path) -> None:
    """Trials run on the oldest processor: armv8.1's atomics end there with SIGILL."""
    plan = package(NEWEST, "el7", "aarch64").plan
    if emulator.runs_here(plan):
        pytest.skip("this host's own processor may be a newer one, and no emulator is used")
    flags = {**plan.compiler.isa, plan.machine.isa: ("-mcpu=generic+lse",)}
    newer = replace(plan, compiler=replace(plan.compiler, isa=flags))
    place = workspace.locate(ROOT)
    staged = make.step(newer, place, Report(), "stage") / "root"
    # The probes are compiled as they should be, so that only the library can be at fault.
    dirs = unpacked_in(checkout, plan, staged)

    results = {trial.name: trial for trial in trials.run(plan, dirs)}

    assert set(trials.names(plan)) == {name for name, trial in results.items() if not trial.passed}
    assert f"exit code {-signal.SIGILL}" in results["aligned"].output


def _secure(plan: Plan, checkout: Path, library: Path) -> Trial:
    """The trial of the secure flavor, with another library in its package."""
    dirs = unpacked_in(checkout, plan)
    shutil.copy(library, payload.place(dirs.unpacked, plan.library))
    return trials.secure(plan, dirs)


@pytest.mark.parametrize(
    ("version", "blocks"), [(NEWEST, (16, 1024, 65536, 1 << 20)), ("2.4.1", (33 << 20, 48 << 20))]
)
def test_a_plain_library_is_not_secure(
    package: Package, checkout: Path, version: str, blocks: tuple[int, ...]
) -> None:
    """Each of the four properties is missing."""
    plan = package(version, "el8", flavor="secure").plan
    plain = package(version, "el8").plan
    unpacked = make.step_dirs(plain, workspace.locate(ROOT)).unpacked

    trial = _secure(plan, checkout, payload.place(unpacked, plain.library))

    lines = trial.output.splitlines()
    assert not trial.passed
    assert "exit code 1" in lines
    assert set() == {
        f"secure: guard: blocks of {size} bytes: it succeeds" for size in blocks
    }.difference(lines)
    assert "secure: double: blocks of 16 bytes: it succeeds" in lines
    assert "secure: forged: blocks of 16 bytes: it succeeds" in lines
    assert "blocks lie to each other as in another process" in lines


def test_a_library_without_guard_pages_is_found(package: Package, checkout: Path) -> None:
    """Level 4 of 3.4 stands all but writes behind a page."""
    plan = package(NEWEST, "el8", flavor="secure").plan
    cmake = {"MI_SECURE": "ON", "MI_SECURE_FULL": "OFF"}
    without = replace(plan, flavor=replace(plan.flavor, level=4, cmake=cmake))
    staged = make.step(without, workspace.locate(ROOT), Report(), "stage") / "root"

    trial = _secure(plan, checkout, payload.place(staged, plan.library))

    faults = [line for line in trial.output.splitlines() if line.endswith("it succeeds")]
    assert not trial.passed
    assert faults
    assert {"guard"} == {line.split(": ")[1] for line in faults}
    assert "blocks lie to each other as in another process" not in trial.output


@pytest.mark.parametrize(
    ("version", "name", "message"),
    [
        (NEWEST, "forks", "exit code 1"),
        ("2.0.9", "plugin", "plugin: unloaded while a thread lives: signal 11"),
    ],
)
def test_a_library_without_our_patches_is_found(
    package: Package,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    name: str,
    message: str,
) -> None:
    """Children that hang, here after a second; and what outlives the code of a plugin."""
    forks, starters, *_ = trials.ARGUMENTS["forks"]
    monkeypatch.setitem(trials.ARGUMENTS, "forks", (forks, starters, "1"))
    plan = package(version, "el7").plan
    dirs = unpacked_in(checkout, plan)
    library = payload.place(dirs.unpacked, plan.library)
    shutil.copy(upstream.compiled(plan, tmp_path), library)

    results = {trial.name: trial for trial in trials.run(plan, dirs)}

    assert not results[name].passed
    assert message in results[name].output.splitlines()


def test_such_a_library_makes_no_package(package: Package, checkout: Path) -> None:
    """The disassembler finds its instructions, too, and it gets no name in dist/."""
    plan = package(NEWEST, "el10", "aarch64").plan
    flags = {**plan.compiler.isa, plan.machine.isa: ("-mcpu=generic+lse",)}
    newer = replace(plan, compiler=replace(plan.compiler, isa=flags))
    place = workspace.locate(checkout)

    with pytest.raises(CheckError) as caught:
        make.package(newer, place, Report())

    detail = caught.value.detail
    assert "instructions: instructions of no group in libmimalloc.so.3.4" in detail
    assert not placement.destination(newer, place).exists()


def test_an_archive_with_nothing_in_it_does_not_link(attempt: Try) -> None:
    """The missing symbol is named, and the other trials pass all the same."""

    def spoil(folder: Path) -> None:
        (folder / "libmimalloc.a").write_bytes(b"!<arch>\n")

    results = attempt(spoil)

    assert not results["archive"].passed
    assert "mi_version" in results["archive"].output
    assert (True, True) == (results["aligned"].passed, results["object"].passed)


def test_an_object_without_malloc_is_found(attempt: Try, plan: Plan) -> None:
    """It links, since the C library has a malloc; but the blocks are not mimalloc's."""
    source = "#include <stdbool.h>\nbool mi_is_in_heap_region(const void *p) { return false; }\n"

    def spoil(folder: Path) -> None:
        (folder / "own.c").write_text(source + "int mi_version(void) { return 209; }\n")
        command = [*compiler.command(plan), "-c", "own.c", "-o", "mimalloc.o"]
        subprocess.run(command, check=True, cwd=folder)

    results = attempt(spoil)

    assert not results["object"].passed
    assert "blocks of another allocator" in results["object"].output
    assert (True, True) == (results["aligned"].passed, results["archive"].passed)
