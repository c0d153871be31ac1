"""Processors and their levels, and that all files of the project agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.checks import library
from pipeline.config import load
from pipeline.model import Emulator, Isa, Level, Processor
from tests.unit.conftest import PROJECT

NAMES = sorted(file.stem for file in (PROJECT / "buildroot" / "processors").glob("*.toml"))

KIND = Processor(
    name="kind",
    page=4096,
    emulator=Emulator("emulate", "/opt/root"),
    ungrouped={"count": ("popcnt",), "atomic": ("cas*", "swp*"), "never": ("xbegin",)},
    level={
        "first": Level(groups=("base",), model="old", harmless=("tzcnt",), marks=("fpu",)),
        "second": Level(groups=("sse", "count"), model="newer", extends="first", marks=("pni",)),
        "other": Level(groups=("mmx",), model="odd", extends="first"),
        "third": Level(
            groups=("avx", "atomic"),
            model="new",
            extends="second",
            harmless=("vfma*",),
            marks=("avx",),
        ),
    },
)


def test_a_level_that_extends_none_stands_alone() -> None:
    """Instructions of all other groups are foreign to it."""
    assert Isa(
        groups=("base",),
        harmless=("tzcnt",),
        foreign=("popcnt", "cas*", "swp*", "xbegin"),
        model="old",
        marks=("fpu",),
    ) == KIND.isa("first")


def test_a_level_has_all_that_it_extends() -> None:
    """Groups, harmless instructions and marks of all levels; the model is its own."""
    assert Isa(
        groups=("base", "sse", "count", "avx", "atomic"),
        harmless=("tzcnt", "vfma*"),
        foreign=("xbegin",),
        known=("popcnt", "cas*", "swp*"),
        model="new",
        marks=("fpu", "pni", "avx"),
    ) == KIND.isa("third")


def test_a_level_is_independent_of_its_siblings() -> None:
    """Two levels may extend the same one."""
    isa = KIND.isa("other")

    assert (("base", "mmx"), ("fpu",), "odd") == (isa.groups, isa.marks, isa.model)
    assert "popcnt" in isa.foreign


def test_a_group_of_ours_is_not_foreign_to_a_level_that_has_it() -> None:
    """The groups of instructions without a group in capstone are ours."""
    assert ("cas*", "swp*", "xbegin") == KIND.isa("second").foreign


# --- the real ones -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_level_resolves(name: str) -> None:
    """It has groups and a model, and none of its instructions is foreign to it."""
    processor = load.processor(PROJECT, name)
    for level in processor.level:
        isa = processor.isa(level)
        own = {word for group in isa.groups for word in processor.ungrouped.get(group, ())}

        assert isa.groups, level
        assert isa.model, level
        assert len(set(isa.groups)) == len(isa.groups), level
        assert set() == own & set(isa.foreign), level


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
        assert plan.processor.isa(plan.machine.isa) == plan.isa
        assert plan.compiler.isa[plan.machine.isa], plan.label
        assert plan.target.startswith(f"{plan.processor.name}-"), plan.label
        assert "libc.so.6" in plan.libraries, plan.label
        assert plan.processor.emulator.program == f"qemu-{plan.processor.name}"


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
    isa = selection.plan(PROJECT, "3.4.3", dist, arch).isa

    assert refused is library._is_missing(group, instruction, isa)
