"""The profile of a release: made by a program of the caller's, and pinned in the recipe."""

from pathlib import Path

from pipeline.bump import recipe_writer, trial_build
from pipeline.bump.request import Train
from pipeline.bump.scratch import ScratchCheckout, place_files, scratch_checkout
from pipeline.config import load
from pipeline.model import Options
from pipeline.model.errors import HostError, RecipeError
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of


def run(root: Path, version: str, source: str, options: Options, train: Train) -> None:
    """Make the profile of a pinned release anew. Raises HostError; then the old one stays."""
    version = load.checked_name("version", version or load.LATEST, load.versions(root))
    with scratch_checkout(workspace.locate(root), version, source, options) as scratch:
        make(scratch, train)
        place_files(scratch)
        scratch.report.line("its packages are others now; where they are published:")
        number = load.recipe(scratch.root, version).release + 1
        scratch.report.line(f"invoke release --version {version} --release {number} --reason ...")


def make(scratch: ScratchCheckout, train: Train) -> None:
    """Make the profile in a scratch checkout, and pin it there. Raises HostError."""
    plan = trial_build.samples(scratch.plans())[0]
    file = scratch.root / load.PROFILES / f"{scratch.version}.profdata"
    file.parent.mkdir(exist_ok=True)
    train(plan, scratch.workspace, file, scratch.report)
    text = scratch.recipe.read_text(encoding="utf-8")
    text = recipe_writer.with_profile(text, f"sha256:{sha256_of(file)}")
    scratch.recipe.write_text(text, encoding="utf-8")


def unpin_missing(scratch: ScratchCheckout) -> None:
    """Take the checksum of a profile that is not there out of the recipe, which was a draft."""
    try:
        load.profile_file(scratch.root, trial_build.samples(scratch.plans())[0])
    except RecipeError:
        text = scratch.recipe.read_text(encoding="utf-8")
        scratch.recipe.write_text(recipe_writer.without_profile(text), encoding="utf-8")


def make_where_possible(scratch: ScratchCheckout, train: Train) -> None:
    """Make the profile; or print why there is none, and how to make it later."""
    try:
        make(scratch, train)
    except HostError as problem:
        scratch.report.line(f"  none, and it can be made later: {problem.what}")
        scratch.report.line(f"  invoke profile --version {scratch.version}")
