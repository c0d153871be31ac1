"""Processors and their levels, and that all files of the project agree."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.checks import library
from pipeline.config import load
from pipeline.model import Selection
from tests.unit.conftest import PROJECT

NAMES = sorted(file.stem for file in (PROJECT / "buildroot" / "processors").glob("*.toml"))


# --- the real ones -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_level_has_what_the_level_before_it_has(name: str) -> None:
    """Its groups, its marks, its harmless instructions."""
    levels = list(load.processor(PROJECT, name).level.values())
    for before, after in pairwise(levels):
        assert set(before.groups) < set(after.groups)
        assert set(before.marks) < set(after.marks)
        assert set(before.harmless) <= set(after.harmless)
    for level in levels:
        assert len(set(level.groups)) == len(level.groups) > 0
        assert level.model


@pytest.mark.parametrize("name", NAMES)
def test_every_toolchain_has_flags_for_every_level(name: str) -> None:
    """A build root may use any of them."""
    levels = load.processor(PROJECT, name).level
    for toolchain in load.toolchains(PROJECT):
        assert set(levels) <= set(load.compiler(PROJECT, toolchain).isa), toolchain


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_powers_of_two(name: str) -> None:
    """And at least 4096."""
    page = load.processor(PROJECT, name).page

    assert 4096 <= page
    assert 0 == page & (page - 1)


def test_every_machine_of_every_build_root_resolves(project: Path) -> None:
    """Its processor, its level, its flags, its libraries, its emulator."""
    plans = selection.plans(project, Selection(dist="all", arch="all"))

    assert {(dist, arch) for dist in load.dists(project) for arch in _machines(dist)} == {
        (plan.root.dist, plan.arch) for plan in plans
    }
    for plan in plans:
        assert plan.compiler.isa[plan.machine.isa], plan.label
        assert plan.target.startswith(f"{plan.processor.name}-"), plan.label
        assert "libc.so.6" in plan.libraries, plan.label
        assert plan.processor.emulator == f"qemu-{plan.processor.name}"


def _machines(dist: str) -> list[str]:
    return list(load.build_root(PROJECT, dist).machine)


@pytest.mark.parametrize(
    ("dist", "arch", "instruction", "group", "refused"),
    [
        ("el8", "x86_64", "popcnt", "", True),
        ("el9", "x86_64", "popcnt", "", False),
        ("el8", "x86_64", "lock cmpxchg16b", "", True),
        ("el9", "x86_64", "lock cmpxchg16b", "", False),
        ("el8", "x86_64", "pshufb", "ssse3", True),
        ("el9", "x86_64", "pshufb", "ssse3", False),
        ("el9", "x86_64", "vpaddd", "avx2", True),
        ("el10", "x86_64_v2", "vpaddd", "avx2", True),
        ("el10", "x86_64_v2", "shlx", "bmi2", True),
        ("el10", "x86_64", "vpaddd", "avx2", False),
        ("el10", "x86_64", "vfmadd213ps", "", False),
        ("el10", "x86_64", "shlx", "bmi2", False),
        ("el10", "x86_64", "vpaddd", "avx512", True),
        ("el10", "x86_64", "kmovw", "", True),
        ("el7", "x86_64", "tzcnt", "bmi", False),
        ("el10", "x86_64", "xbegin", "rtm", True),
        ("el7", "aarch64", "swpal", "", True),
        ("amzn2023", "aarch64", "swpal", "", False),
        ("amzn2023", "aarch64", "ldapr", "", True),
        ("amzn2023", "aarch64", "aese", "crypto", True),
        ("el10", "aarch64", "ldaddal", "", True),
        ("el10", "aarch64", "ldaxr", "", False),
        ("el7", "aarch64", "paciasp", "", False),
        ("el10", "aarch64", "fmla", "neon", False),
        ("el10", "aarch64", "ptrue", "", True),
    ],
)
def test_levels_know_their_instructions(
    dist: str, arch: str, instruction: str, group: str, refused: bool
) -> None:
    """What the oldest processors of a dist can execute, and what not."""
    plan = selection.plan(PROJECT, "3.4.3", dist, arch)

    assert refused is library._is_missing(group, instruction, plan)
