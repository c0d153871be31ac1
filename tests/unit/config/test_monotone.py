"""What a dist allows, the one that succeeds it allows too.

A package that passes for an older dist and fails for a newer one would be a mistake in a build
root: C libraries, rpm and processors keep the features of their predecessors.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from pipeline.build import selection
from pipeline.config import load
from pipeline.model import BuildRoot, Isa, Machine, Selection
from tests.unit.conftest import PROJECT

Spoil = Callable[[BuildRoot], BuildRoot]

DISTS = load.dists(PROJECT)


def root(dist: str) -> BuildRoot:
    """A real build root."""
    return load.build_root(PROJECT, dist)


PAIRS = [(older, dist) for dist in DISTS if (older := root(dist).succeeds)]


def isa(machine: Machine, arch: str) -> Isa:
    """The machine's level."""
    return load.processor(PROJECT, machine.processor or arch).level[machine.isa]


def losses(older: BuildRoot, newer: BuildRoot) -> Iterator[str]:
    """What the older dist allows and the newer one does not."""
    if not Version(older.glibc) < Version(newer.glibc):
        yield f"glibc: {older.glibc}, then {newer.glibc}"
    if not Version(older.rpm.version) < Version(newer.rpm.version):
        yield f"rpm: {older.rpm.version}, then {newer.rpm.version}"
    if not older.support.until < newer.support.until:
        yield f"support: {older.support.until}, then {newer.support.until}"
    yield from _lost("libraries", older.libraries, newer.libraries)
    yield from _lost("rpm.features", older.rpm.features, newer.rpm.features)
    yield from _lost("machine", older.machine, newer.machine)
    for arch in older.machine.keys() & newer.machine.keys():
        yield from _losses_of_machine(arch, older, newer)


def _losses_of_machine(arch: str, older: BuildRoot, newer: BuildRoot) -> Iterator[str]:
    before, after = older.machine[arch], newer.machine[arch]
    old, new = isa(before, arch), isa(after, arch)
    place = f"machine.{arch}"
    yield from _lost(f"{place}.isa", old.groups, new.groups)
    # What is harmless on an old processor may be a feature of a newer one's.
    yield from _lost(f"{place}.harmless", old.harmless, (*new.harmless, *new.groups))
    yield from _lost(
        f"{place}.libraries",
        (*older.libraries, *before.libraries),
        (*newer.libraries, *after.libraries),
    )
    if Version(before.floor or older.glibc) > Version(after.floor or newer.glibc):
        yield f"{place}.floor: {before.floor or older.glibc}, then {after.floor or newer.glibc}"


def _lost(place: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    lost = sorted(set(before) - set(after))
    if lost:
        yield f"{place}: lost {', '.join(lost)}"


def test_what_a_dist_succeeds_is_another_dist() -> None:
    """It is there, and no name is misspelt."""
    assert {("el7", "el8"), ("el9", "el10")} < set(PAIRS)
    assert {older for older, _ in PAIRS} < set(DISTS)


@pytest.mark.parametrize(("older", "newer"), PAIRS)
def test_a_newer_dist_allows_what_the_older_one_does(older: str, newer: str) -> None:
    """C library, libraries, rpm's features, machines, and their instruction sets."""
    assert [] == list(losses(root(older), root(newer)))


@pytest.mark.parametrize(("older", "newer"), PAIRS)
def test_a_newer_processor_runs_what_the_older_one_does(older: str, newer: str) -> None:
    """Groups of instructions of the same architecture, and the flags in /proc/cpuinfo."""
    for arch in root(older).machine:
        before, after = (isa(root(dist).machine[arch], arch) for dist in (older, newer))

        assert set(before.groups) <= set(after.groups)
        assert set(before.marks) <= set(after.marks)
        assert set(before.harmless) <= {*after.harmless, *after.groups}


def test_an_architecture_for_older_processors_lies_between() -> None:
    """x86_64_v2 of el10 runs all of el9's x86_64, and el10's own x86_64 runs all of target."""
    el9, el10 = root("el9").machine, root("el10").machine
    before = isa(el9["x86_64"], "x86_64")
    between = isa(el10["x86_64_v2"], "x86_64_v2")
    after = isa(el10["x86_64"], "x86_64")

    assert before == between
    assert set(between.groups) < set(after.groups)


@pytest.mark.parametrize("dist", DISTS)
def test_no_floor_is_newer_than_its_dist(dist: str) -> None:
    """For every architecture and flavor; nor is a floor older than that of the oldest dist."""
    oldest = min(Version(root(name).glibc) for name in DISTS)
    for plan in selection.plans(PROJECT, Selection(dist=dist, arch="all", flavor="all")):
        floor = Version(plan.machine.floor or plan.root.glibc)
        assert oldest <= floor <= Version(plan.root.glibc), plan.label


# --- mistakes are caught ------------------------------------------------------------------------


def without_library(target: BuildRoot) -> BuildRoot:
    """Without one of the C library's libraries."""
    return replace(target, libraries=("libc.so.6",))


def without_feature(target: BuildRoot) -> BuildRoot:
    """With an rpm that cannot read xz."""
    features = tuple(name for name in target.rpm.features if name != "PayloadIsXz")
    return replace(target, rpm=replace(target.rpm, features=features))


def with_machine(target: BuildRoot, arch: str, **changes: object) -> BuildRoot:
    """With other requirements on one architecture."""
    machine = replace(target.machine[arch], **changes)  # type: ignore[arg-type]
    return replace(target, machine={**target.machine, arch: machine})


@pytest.mark.parametrize(
    ("spoil", "loss"),
    [
        (lambda target: replace(target, glibc="2.9"), "glibc: 2.28, then 2.9"),
        (lambda target: replace(target, glibc="2.28"), "glibc: 2.28, then 2.28"),
        (
            lambda target: replace(target, rpm=replace(target.rpm, version="4.9")),
            "rpm: 4.14.3, then 4.9",
        ),
        (without_library, "libraries: lost libpthread.so.0"),
        (without_feature, "rpm.features: lost PayloadIsXz"),
        (
            lambda target: with_machine(target, "aarch64", libraries=()),
            "machine.aarch64.libraries: lost ld-linux-aarch64.so.1",
        ),
        (
            lambda target: with_machine(target, "aarch64", floor="2.5"),
            "machine.aarch64.floor: 2.17, then 2.5",
        ),
        (
            lambda target: replace(target, machine={"x86_64": target.machine["x86_64"]}),
            "machine: lost aarch64",
        ),
        (
            lambda target: replace(
                target, support=replace(target.support, until=root("el7").support.until)
            ),
            "support: 2029-05-31, then 2024-06-30",
        ),
    ],
)
def test_a_build_root_that_loses_something_is_caught(spoil: Spoil, loss: str) -> None:
    """Every mistake in a copy of el9 is reported, compared with el8."""
    assert loss in list(losses(root("el8"), spoil(root("el9"))))


def test_a_processor_that_loses_a_level_is_caught() -> None:
    """A dist with a lower level than an older dist refuses what that allowed."""
    changed = with_machine(root("el10"), "x86_64", isa="x86-64")

    lines = list(losses(root("el9"), changed))

    assert any(
        line.startswith("machine.x86_64.isa: lost cmpxchg16b, lahf, popcnt") for line in lines
    )


def test_a_mistake_in_the_file_is_caught(checkout: Path) -> None:
    """The same comparison for a file of the project."""
    file = checkout / "buildroot" / "el10.toml"
    text = file.read_text()
    assert '"TildeInVersions", ' in text
    file.write_text(text.replace('"TildeInVersions", ', ""))

    lines = list(losses(root("el9"), load.build_root(checkout, "el10")))

    assert ["rpm.features: lost TildeInVersions"] == lines
