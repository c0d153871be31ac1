"""The benchmarks measure what they say they do: one round of the smallest work, no look at time."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import allocators, library, settings, usage
from benchmarks.allocators import C_LIBRARY, OURS, Allocator, named
from benchmarks.builds import BY_HAND, UNCHECKED, WHOLE
from benchmarks.settings import Workload
from benchmarks.silent import Silent
from pipeline.build import selection
from pipeline.config import allocators
from pipeline.model.errors import HostError, SmokeError
from pipeline.system import workspace
from tests.build.conftest import ARCH, ROOT, Package

CHOSEN = settings.load().sampled()
RELEASE = CHOSEN.library.releases[0]
MEASURES = ("instructions", "processor time", "largest resident size")

_ROW = re.compile(r"^\| (.+?) +\| (.*) \|$", re.MULTILINE)
_RATIO = re.compile(r"\d+\.\d{3}")


def benchmark(which: str) -> str:
    """What `python -m benchmarks` prints of a sample."""
    command = [sys.executable, "-m", "benchmarks", which, "--sample"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def rows(text: str) -> dict[str, list[float]]:
    """The numbers of each row of all tables; a later table's row takes the earlier one's place."""
    found = {
        name: [float(cell) for cell in _RATIO.findall(cells)] for name, cells in _ROW.findall(text)
    }
    return {name: numbers for name, numbers in found.items() if numbers}


@pytest.fixture(scope="module")
def compared(package: Package) -> str:
    """A sample of the library's benchmark."""
    package(RELEASE, CHOSEN.library.dist)
    return benchmark("library")


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> usage.Starter:
    """What programs are measured with."""
    plan = selection.plan(ROOT, RELEASE, CHOSEN.library.dist, ARCH)
    return usage.starter(plan, workspace.locate(ROOT), tmp_path_factory.mktemp("starter"))


def test_every_allocator_is_in_use_or_told_to_be_missing(compared: str) -> None:
    """By what the loader binds malloc to; nothing is left out in silence."""
    used = dict(re.findall(r"^in use: (.+): malloc and free are bound to (\S+)$", compared, re.M))
    missing = dict(re.findall(r"^NOT MEASURED: (.+?): (.+)$", compared, re.M))

    assert {each.name for each in CHOSEN.rival} <= set(used) | set(missing)
    assert used[named(RELEASE, OURS)].startswith("libmimalloc.so")
    assert "libc.so.6" == used[C_LIBRARY]


def test_every_measure_has_a_ratio_for_every_allocator(compared: str) -> None:
    """Of each program, of their mean and of its spread; the C library's is 1 by itself."""
    used = re.findall(r"^in use: (.+): malloc", compared, re.M)
    tables = re.split(r"^(?=.+, of what it is on)", compared, flags=re.M)[1:]
    found = [rows(text) for text in tables if f"on {C_LIBRARY}" in text]

    assert len(MEASURES) - ("NOT MEASURED: instructions" in compared) == len(found)
    for table in found:
        assert used == list(table)
        assert {len(CHOSEN.workload) + 3} == {len(ratios) for ratios in table.values()}
        assert {1.0} == set(table[C_LIBRARY])
        assert all(ratio > 0 for ratios in table.values() for ratio in ratios)


def test_a_build_is_compared_with_a_script_that_makes_the_same(package: Package) -> None:
    """The script's library is the package's, or the benchmark refuses to go on."""
    target = CHOSEN.package[0]
    package(target.version, target.dist)
    told = benchmark("build")

    assert f"{BY_HAND} makes the same library and the same RPM, byte for byte." in told
    assert {BY_HAND, UNCHECKED, WHOLE, "python -c pass", "invoke --version"} <= set(rows(told))


def test_a_library_that_does_not_exist_is_refused(starter: usage.Starter, tmp_path: Path) -> None:
    """The loader only prints a line, and the program would run on another allocator."""
    wrong = tmp_path / "libmimalloc.so.2"

    with pytest.raises(SmokeError, match="do not run on nothing"):
        allocators.proven(Allocator("nothing", wrong), ("sort", "/dev/null"), tmp_path / "traces")
    with pytest.raises(SmokeError, match="cannot be measured"):
        starter.run(("sort", "/dev/null"), error=SmokeError, library=wrong)


def test_a_library_that_is_no_allocator_is_refused(tmp_path: Path) -> None:
    """It is loaded, and malloc is still the C library's."""
    other = Allocator("libm", allocators.on_host("libm.so.6"))

    with pytest.raises(SmokeError, match="do not run on libm"):
        allocators.proven(other, ("sort", "/dev/null"), tmp_path / "traces")


def test_a_program_that_comes_to_another_result_is_refused() -> None:
    """As one that tells which allocator it runs on."""
    present = [each for each in CHOSEN.rival if _is_here(each.library)]
    if not present:
        pytest.skip("no other allocator on this host")
    teller = Workload("teller", "", ("sh", "-c", "echo on $LD_PRELOAD"), 1, 1)
    chosen = replace(
        CHOSEN,
        library=replace(CHOSEN.library, releases=()),
        rival=tuple(present[:1]),
        workload=(teller,),
    )

    with pytest.raises(SmokeError, match="teller comes to another result"):
        library.run(chosen, ROOT, Silent())


def _is_here(name: str) -> bool:
    try:
        return allocators.on_host(name).is_file()
    except HostError:
        return False
