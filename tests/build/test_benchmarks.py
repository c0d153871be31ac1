"""The benchmarks measure what they claim: one round of the smallest work, no regard to time."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import library, programs, promises, settings
from benchmarks.build import BY_HAND, UNCHECKED, WHOLE
from benchmarks.settings import Workload
from benchmarks.variants import PACKAGE
from pipeline.build import selection
from pipeline.compare.allocators import C_LIBRARY, Allocator, of_host
from pipeline.config.allocators import host_allocators, library_file
from pipeline.model.errors import CompareError
from pipeline.system import workspace
from pipeline.system.report import QuietReport
from tests.build.conftest import ARCH, ROOT, SEED, Package

SAMPLE = settings.load().sampled()
RELEASE = SAMPLE.library.releases[0]
MEASURES = ("instructions", "processor time", "largest resident size")

_ROW = re.compile(r"^\| (.+?) +\| (.*) \|$", re.MULTILINE)
_RATIO = re.compile(r"\d+\.\d{3}")


def benchmark(name: str) -> str:
    """What `python -m benchmarks` prints of a sample."""
    command = [sys.executable, "-m", "benchmarks", name, "--sample"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def rows(text: str) -> dict[str, list[float]]:
    """The numbers of each row of all tables; a later table's row takes the earlier one's place."""
    all_rows = {
        name: [float(cell) for cell in _RATIO.findall(cells)] for name, cells in _ROW.findall(text)
    }
    return {name: numbers for name, numbers in all_rows.items() if numbers}


@pytest.fixture(scope="module")
def compared(package: Package) -> str:
    """A sample of the library's benchmark."""
    package(RELEASE, SAMPLE.library.dist)
    return benchmark("library")


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that programs are measured with."""
    plan = selection.plan(ROOT, RELEASE, SAMPLE.library.dist, ARCH)
    folder = tmp_path_factory.mktemp("starter")
    return programs.compiled(programs.STARTER, plan, workspace.locate(ROOT), folder)


def test_every_allocator_is_in_use_or_reported_as_missing(compared: str) -> None:
    """By what the loader binds malloc to; nothing is left out in silence."""
    used = dict(re.findall(r"^in use: (.+): malloc and free are bound to (\S+)$", compared, re.M))
    missing = dict(re.findall(r"^NOT MEASURED: (.+?): (.+)$", compared, re.M))

    assert {item.name for item in host_allocators(ROOT)} <= set(used) | set(missing)
    assert used[f"{RELEASE} {PACKAGE}"].startswith("libmimalloc.so")
    assert "libc.so.6" == used[C_LIBRARY]


def test_every_measure_has_a_ratio_for_every_allocator(compared: str) -> None:
    """Of each program and of their mean, which one round has no spread of; the C library's is 1."""
    used = re.findall(r"^in use: (.+): malloc", compared, re.M)
    texts = re.split(r"^(?=.+, of what it is on)", compared, flags=re.M)[1:]
    tables = [rows(text) for text in texts if f"on {C_LIBRARY}" in text]

    assert len(MEASURES) - ("NOT MEASURED: instructions" in compared) == len(tables)
    for table in tables:
        assert used == list(table)
        assert {len(SAMPLE.workload) + 1} == {len(ratios) for ratios in table.values()}
        assert {1.0} == set(table[C_LIBRARY])
        assert all(ratio > 0 for ratios in table.values() for ratio in ratios)


@pytest.mark.full
def test_a_build_is_compared_with_a_script_that_makes_the_same(package: Package) -> None:
    """The script's library is the package's, or the benchmark refuses to go on."""
    sample = SAMPLE.package[0]
    package(sample.version, sample.dist)
    output = benchmark("build")

    assert f"{BY_HAND} makes the same library and the same RPM, byte for byte." in output
    assert {BY_HAND, UNCHECKED, WHOLE, "python -c pass", "invoke --version"} <= set(rows(output))


def test_a_library_that_does_not_exist_is_refused(starter: Path, tmp_path: Path) -> None:
    """The loader only prints a line, and the program would run on another allocator."""
    wrong, argv = tmp_path / "libmimalloc.so.2", ("sort", "/dev/null")

    with pytest.raises(CompareError, match="do not run on nothing"):
        library.bound_library(Allocator("nothing", wrong), argv, tmp_path / "traces")
    with pytest.raises(CompareError, match="cannot be measured"):
        programs.measure(starter, argv, library=wrong)


def test_a_library_that_is_no_allocator_is_refused(tmp_path: Path) -> None:
    """It is loaded, and malloc is still the C library's."""
    other = Allocator("libm", library_file("libm.so.6"))

    with pytest.raises(CompareError, match="do not run on libm"):
        library.bound_library(other, ("sort", "/dev/null"), tmp_path / "traces")


def test_a_program_that_comes_to_another_result_is_refused() -> None:
    """As one that prints which allocator it runs on."""
    if not of_host(ROOT)[0]:
        pytest.skip("no other allocator on this host")
    workload = Workload("witness", "", ("sh", "-c", "echo on $LD_PRELOAD"), 1, 1)
    sample = replace(SAMPLE, library=replace(SAMPLE.library, releases=()), workload=(workload,))

    with pytest.raises(CompareError, match="witness has another result"):
        library.run(sample, ROOT, QuietReport())


@pytest.mark.full
def test_what_upstream_does_not_keep_is_measured(package: Package, tmp_path: Path) -> None:
    """Of 2.0.6 without our patches: rules, forks, memory, instructions, programs."""
    plan, lines = (
        package(SEED, "el8").plan,
        [
            ("sed", "echo abc | sed s/b/x/"),
            ("coreutils", "tr a-z A-Z < text | sha256sum"),
        ],
    )
    setup = promises.prepared(SAMPLE, workspace.locate(ROOT), tmp_path, QuietReport())
    setup = replace(setup, expected={key: setup.expected[key] for key in lines})

    side = promises.measured(promises.without_patches(plan), setup, tmp_path / "before")

    rules = {"conformance: zero-size", "conformance: any-size", "conformance: refusal-errno"}
    assert rules | {"plugin", "sparse"} <= set(side.failed)
    assert side.counts["zero-size"][1] > 0 == side.counts["neighbours"][1]
    assert int(promises.FORKS[0]) == side.forks[0]
    assert side.peaks["sparse"] > 900 > side.peaks["reclaimer"]
    assert 10 < side.instructions["malloc"] < 100 < side.instructions["small"]
    assert {"sed": ["echo abc | sed s/b/x/"]} == side.programs
