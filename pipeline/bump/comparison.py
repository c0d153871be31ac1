"""A new release beside another one: what would change for users, and what a process takes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.build import make
from pipeline.bump import changes, memory, source_tree, trial_build
from pipeline.bump.changes import Change
from pipeline.bump.trial_build import Sample, ScratchCheckout
from pipeline.config import load
from pipeline.inspect import payload
from pipeline.model import PLAIN, Plan, Recipe
from pipeline.system.report import Report
from pipeline.toolchain import emulator


def with_other(
    version: str,
    other: str,
    found: Sequence[Sample],
    bench: ScratchCheckout,
    given: str,
    report: Report,
) -> Iterator[Change]:
    """What changes from another release to the new one, whose packages ``found`` are.

    The other release is looked for in the place that was ``given`` for the new one, too.
    """
    new, old = load.recipe(bench.root, version), load.recipe(bench.root, other)
    tree, libraries = trial_build.previous(old, bench, given, report)
    yield from changes.of_soname(old, new)
    yield from _files(old, new, found, bench, report)
    dirs = make.step_dirs(found[0].plan, bench.place)
    cmake, licence = source_tree.cmake_and_licence(dirs.tree)
    former = source_tree.cmake_and_licence(tree) if tree else (None, None)
    yield from changes.of_licence(former[1], licence)
    yield from changes.of_cmake(former[0], cmake)
    plain = [sample for sample in found if sample.plan.variant == PLAIN]
    needed = {sample.plan.root.dist: sample.library.needed for sample in plain}
    before = trial_build.needed(libraries) if libraries else None
    yield from changes.of_libraries(before, needed)
    _footprints(other, libraries, [sample.plan for sample in plain], bench, report)


def _files(
    old: Recipe, new: Recipe, found: Sequence[Sample], bench: ScratchCheckout, report: Report
) -> Iterator[Change]:
    """The new manifests beside the other's; a dist that the other has none for is new, too."""
    lists: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for plan, manifest in ((sample.plan, sample.manifest) for sample in found):
        name = f"{plan.root.dist} {plan.variant}" if plan.variant != PLAIN else plan.root.dist
        file = load.manifest_file(bench.root, plan)
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
    bench: ScratchCheckout,
    report: Report,
) -> None:
    """Tell what a small process takes at its start on both libraries, where this host runs them."""
    here = next((plan for plan in plans if emulator.runs_here(plan)), None)
    if not here:
        report.line("  memory of a small process at its start: this host runs none on the library")
        return
    own = payload.place(make.step_dirs(here, bench.place).stage, here.library)
    report.line(f"  memory of a small process at its start, on the library for {here.root.dist}")
    for version, library in ((other, libraries.get(here.root.dist)), (here.recipe.version, own)):
        told = "not at hand"
        if library:
            size, resident = memory.of(library)
            told = f"VSZ {size:>9} KiB   RSS {resident:>7} KiB"
        report.line(f"    {version:<8} {told}")
