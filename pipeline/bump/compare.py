"""A new release beside another one: what would change for users, and what a process takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline import build, emulator, recipes
from pipeline.bump import changes, footprint, prove, study
from pipeline.bump.changes import Change
from pipeline.bump.prove import Bench, Sample
from pipeline.facts import payload
from pipeline.model import PLAIN, Plan, Recipe
from pipeline.report import Report


def with_other(
    version: str, other: str, found: Sequence[Sample], bench: Bench, given: str, report: Report
) -> Iterator[Change]:
    """What changes from another release to the new one, whose packages ``found`` are.

    The other release is looked for in the place that was ``given`` for the new one, too.
    """
    new, old = recipes.recipe(bench.root, version), recipes.recipe(bench.root, other)
    tree, libraries = prove.previous(old, bench, given, report)
    yield from changes.of_soname(old, new)
    yield from _files(old, new, found, bench, report)
    site = build.prepare(found[0].plan, bench.place)
    cmake, licence = study.cmake_and_licence(site.tree)
    former = study.cmake_and_licence(tree) if tree else (None, None)
    yield from changes.of_licence(former[1], licence)
    yield from changes.of_cmake(former[0], cmake)
    plain = [sample for sample in found if sample.plan.variant == PLAIN]
    needed = {sample.plan.root.dist: sample.library.needed for sample in plain}
    before = prove.needed(libraries) if libraries else None
    yield from changes.of_libraries(before, needed)
    _footprints(other, libraries, [sample.plan for sample in plain], bench, report)


def _files(
    old: Recipe, new: Recipe, found: Sequence[Sample], bench: Bench, report: Report
) -> Iterator[Change]:
    """The new manifests beside the other's; a dist that the other has none for is new, too."""
    lists: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for plan, manifest in ((sample.plan, sample.manifest) for sample in found):
        name = f"{plan.root.dist} {plan.variant}" if plan.variant != PLAIN else plan.root.dist
        file = recipes.manifest_file(bench.root, plan)
        former = file.with_name(file.name.replace(new.version, old.version, 1))
        paths = former.read_text(encoding="utf-8").splitlines() if former.is_file() else []
        lists[0][name] = changes.neutral(paths, old)
        lists[1][name] = changes.neutral(manifest, new)
    told = changes.difference(*lists)
    same = "as before, but for the version in them"
    report.line(f"  file lists{'' if told else f': {same}'}")
    for line in told:
        report.line(f"    {line}")
    yield from changes.of_files(*lists)


def _footprints(
    other: str,
    libraries: Mapping[str, Path],
    plans: Sequence[Plan],
    bench: Bench,
    report: Report,
) -> None:
    """Tell what a small process takes at its start on both libraries, where this host runs them."""
    here = next((plan for plan in plans if emulator.runs_here(plan)), None)
    if not here:
        report.line("  memory of a small process at its start: this host runs none on the library")
        return
    own = payload.place(build.prepare(here, bench.place).stage, here.library)
    report.line(f"  memory of a small process at its start, on the library for {here.root.dist}")
    for version, library in ((other, libraries.get(here.root.dist)), (here.recipe.version, own)):
        told = "not at hand"
        if library:
            size, resident = footprint.of(library)
            told = f"VSZ {size:>9} KiB   RSS {resident:>7} KiB"
        report.line(f"    {version:<8} {told}")
