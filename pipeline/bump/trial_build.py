"""A release tried in a scratch checkout: its patches, its file lists, every package, the smoke."""

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import inspect
from pipeline.artifact import placement
from pipeline.build import make
from pipeline.bump import recipe_writer, state
from pipeline.commands import build
from pipeline.config import load
from pipeline.inspect import elf, payload
from pipeline.model import PLAIN, Library, Options, Plan, Recipe, Trial
from pipeline.model.errors import BumpError, PackagingError, PatchError
from pipeline.smoke import suite, trials
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, remove
from pipeline.toolchain import emulator


@dataclass(frozen=True, slots=True)
class ScratchCheckout:
    """The scratch checkout, and where its releases are had from: the place that was handed over."""

    place: Workspace
    source: str
    options: Options

    @property
    def root(self) -> Path:
        """The root of the scratch checkout."""
        return self.place.root

    def plans(self, version: str, source: str | None = None) -> list[Plan]:
        """Every package of a release."""
        return state.plans(self.root, version, self.source if source is None else source)


@dataclass(frozen=True, slots=True)
class Sample:
    """A package before anything is held against it: its paths, as a manifest has them."""

    plan: Plan
    manifest: tuple[str, ...]
    library: Library


def checkout(root: Path, target: Path) -> None:
    """A copy of what a bump reads and writes; what was built in an earlier one is still good."""
    target.mkdir(parents=True, exist_ok=True)
    for name in state.DATA:
        remove(target / name)
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name)
        else:
            shutil.copyfile(root / name, target / name)


def first_of_each(plans: Sequence[Plan]) -> list[Plan]:
    """For each dist and flavor one machine, such as this host runs where there is one."""
    chosen: dict[tuple[str, str], Plan] = {}
    for plan in sorted(plans, key=lambda plan: not emulator.runs_here(plan)):
        chosen.setdefault((plan.root.dist, plan.variant), plan)
    order = [(plan.root.dist, plan.variant) for plan in plans]
    return [chosen[each] for each in dict.fromkeys(order)]


def without_patches(plan: Plan, bench: ScratchCheckout, report: Report) -> tuple[Trial, ...]:
    """The trials of a release as upstream tagged it; its recipe in the bench has no patch."""
    dirs = _made(plan, bench, report, "package")
    payload.unpack(dirs.packages / plan.file_name, dirs.folder("check"))
    return trials.run(plan, dirs)


def applies(plan: Plan, bench: ScratchCheckout, report: Report) -> None:
    """Apply the patches of the recipe. Raises BumpError where a patch that is needed does not."""
    try:
        _made(plan, bench, report, "patch")
    except PatchError as problem:
        raise BumpError(
            f"{problem.what}, and the release still needs it",
            got=problem.got,
            file=problem.file,
            detail=problem.detail,
            hint=f"write it anew, below patches/{plan.recipe.version}/ of the checkout,\n"
            f"then the same command; the tree is in {make.step_dirs(plan, bench.place).tree}",
        ) from problem


def samples(plans: Sequence[Plan], bench: ScratchCheckout, report: Report) -> list[Sample]:
    """Packages of these plans, one after the other: what is wrong with all is said once."""
    return [_sample(plan, _made(plan, bench, report, "package")) for plan in plans]


def everything(version: str, bench: ScratchCheckout, report: Report) -> None:
    """Build and check every package of a release, and run programs on them."""
    plans = bench.plans(version)
    build.many(bench.place, plans, build.BUILD, bench.options, report)
    report.line("smoke")
    for plan in plans:
        rpm = placement.destination(plan, bench.place)
        log = bench.place.work / "smoke" / f"{plan.nevra}.log"
        with TemporaryDirectory(prefix="mimalloc-smoke-") as folder:
            ran = suite.run(plan, rpm, Path(folder), bench.place, log, _Quiet())
        report.line(f"  {plan.nevra:<50} {', '.join(trial.name for trial in ran)}")


class _Quiet(Report):
    """Says nothing: whoever asked tells it in one line."""

    def line(self, text: str) -> None:
        """Nothing."""


def previous(
    recipe: Recipe, bench: ScratchCheckout, given: str, report: Report
) -> tuple[Path | None, Mapping[str, Path]]:
    """The tree of another release, and by dist its library; None where its source is not had.

    It is looked for in the place that was ``given`` for the new one, then where it is pinned.
    """
    reason = ""
    for source in dict.fromkeys((given, "")):
        try:
            plans = bench.plans(recipe.version, source)
            chosen = [plan for plan in first_of_each(plans) if plan.variant == PLAIN]
            sites = {plan.root.dist: (plan, _made(plan, bench, report, "stage")) for plan in chosen}
        except PackagingError as problem:
            reason = problem.what
            continue
        found = {
            dist: payload.place(dirs.stage, plan.library) for dist, (plan, dirs) in sites.items()
        }
        dirs = next(iter(sites.values()))[1]
        return dirs.tree, found
    report.line(f"  mimalloc {recipe.version} is not at hand, to compare: {reason}")
    return None, {}


def needed(libraries: Mapping[str, Path]) -> dict[str, Sequence[str]]:
    """What libraries need, by dist."""
    return {dist: elf.read(file).needed for dist, file in libraries.items()}


def _made(plan: Plan, bench: ScratchCheckout, report: Report, step: str) -> StepDirs:
    began = time.monotonic()
    make.step(plan, bench.place, _Quiet(), step, bench.options)
    report.line(f"  {plan.nevra:<50} {step:<8} {time.monotonic() - began:6.1f} s")
    return make.step_dirs(plan, bench.place)


def _sample(plan: Plan, dirs: StepDirs) -> Sample:
    rpm = dirs.packages / plan.file_name
    with TemporaryDirectory(prefix="mimalloc-") as scratch:
        found = inspect.read(rpm, Path(scratch), library=plan.library)
    if found.library is None:
        raise BumpError("the package has no library where the recipe says", got=str(plan.library))
    return Sample(plan, manifest(found.listing, found.library.build_id), found.library)


def manifest(listing: Iterable[str], build_id: str) -> tuple[str, ...]:
    """The paths of a package as its manifest has them, without the build-id of this build."""
    folder = "/.build-id/"
    head, tail = build_id[:2], build_id[2:]
    shown = []
    for path in listing:
        before, mark, name = path.partition(folder)
        if mark and name in (head, f"{head}/{tail}"):
            name = "{build_id[:2]}" + ("/{build_id[2:]}" if "/" in name else "")
        shown.append(f"{before}{mark}{name}")
    return tuple(shown)


def lists(text: str, version: str, bench: ScratchCheckout, report: Report) -> list[Sample]:
    """Packages for each dist and flavor; their manifests, and the recipe, are put into the bench.

    Hardening that the recipe excuses the library from, and that is there, is excused no more.
    """
    file = bench.root / "recipes" / f"{version}.toml"
    file.write_text(text, encoding="utf-8")
    found = samples(first_of_each(bench.plans(version)), bench, report)
    needless = [trait for trait in found[0].plan.recipe.unmarked if _is_there(trait, found)]
    file.write_text(recipe_writer.without_marks(text, needless), encoding="utf-8")
    for sample in found:
        lines = "".join(f"{line}\n" for line in sample.manifest)
        load.manifest_file(bench.root, sample.plan).write_text(lines, encoding="utf-8")
    return found


def _is_there(trait: str, found: Sequence[Sample]) -> bool:
    """Whether every library that must have a trait has it."""
    return all(
        trait in sample.library.hardening
        for sample in found
        if trait in (*sample.plan.root.hardening, *sample.plan.machine.hardening)
    )
