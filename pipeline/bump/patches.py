"""Which of our patches a new release still needs, by the trial that each of them is there for."""

import shutil
from pathlib import Path

from pipeline.bump import recipe_writer, trial_build
from pipeline.bump.trial_build import ScratchCheckout
from pipeline.config import load
from pipeline.model import Patch
from pipeline.model.errors import BumpError
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import remove


def settle(
    text: str, version: str, base: str, root: Path, bench: ScratchCheckout, report: Report
) -> tuple[str, list[Patch]]:
    """The recipe with the patches that are needed, which are in the bench, and those dropped.

    A patch is taken from the checkout's folder for this version, else from that of ``base``. Raises
    BumpError for one that is needed and does not apply.
    """
    file = bench.root / "recipes" / f"{version}.toml"
    file.write_text(text, encoding="utf-8")
    every = load.recipe(bench.root, version).patch
    remove(bench.root / "patches" / version)
    if not every:
        report.line("  none")
        return text, []
    dropped = _needless(every, text, file, version, bench, report)
    text = recipe_writer.without_patches(text, [patch.file for patch in dropped], version)
    for patch in every:
        if patch not in dropped:
            text = recipe_writer.with_patch(
                text, patch.file, _carry(patch, version, base, root, bench)
            )
    file.write_text(text, encoding="utf-8")
    if len(dropped) < len(every):
        trial_build.applies(trial_build.first_of_each(bench.plans(version))[0], bench, report)
    return text, dropped


def _needless(
    every: tuple[Patch, ...],
    text: str,
    file: Path,
    version: str,
    bench: ScratchCheckout,
    report: Report,
) -> list[Patch]:
    """The patches whose fault the release as upstream tagged it does not have."""
    dropped = []
    passed: dict[str, bool] = {}
    if any(patch.test for patch in every):
        names = [patch.file for patch in every]
        file.write_text(recipe_writer.without_patches(text, names, version), encoding="utf-8")
        plan = trial_build.first_of_each(bench.plans(version))[0]
        ran = trial_build.without_patches(plan, bench, report)
        passed = {trial.name: trial.passed for trial in ran}
    for patch in every:
        if patch.test and patch.test not in passed:
            raise BumpError(f"{patch.file}: no trial is called {patch.test}", file=file)
        if not patch.test:
            told = "carried: it names no trial that would tell whether it is needed"
        elif passed[patch.test]:
            told = f"dropped: the release stands the trial `{patch.test}` without it"
            dropped.append(patch)
        else:
            told = f"carried: the release does not stand the trial `{patch.test}` without it"
        report.line(f"  {patch.file} {told}")
    return dropped


def _carry(patch: Patch, version: str, base: str, root: Path, bench: ScratchCheckout) -> str:
    """Copy a patch to where the new recipe finds it; the answer is its checksum."""
    places = [root / "patches" / name / patch.file for name in (version, base)]
    found = next((place for place in places if place.is_file()), None)
    if not found:
        raise BumpError("no such patch", expected=" or ".join(map(str, places)))
    target = bench.root / "patches" / version / patch.file
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, target)
    return sha256_of(target)
