"""Raise the release number of a pinned release, with a reason, once its packages are built."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.bump import documents, recipe_writer, trial_build
from pipeline.bump.scratch import ScratchCheckout, place_files, scratch_checkout
from pipeline.config import load
from pipeline.model import Options
from pipeline.model.errors import BumpError, RequestError
from pipeline.system import workspace


@dataclass(frozen=True, slots=True)
class Request:
    """The release number to set; ``source`` is where to take the release from, as for a build."""

    version: str
    number: int
    reason: str
    source: str = ""
    options: Options = field(default_factory=Options)


def run(root: Path, request: Request) -> None:
    """Raise the release number, unless it is raised already. Raises BumpError for a lower one."""
    reason, place = " ".join(request.reason.split()), workspace.locate(root)
    if not reason:
        raise RequestError("--reason", expected="a sentence for the changelog", got="none")
    version = load.checked_name("version", request.version, load.versions(root))
    with scratch_checkout(place, version, request.source, request.options) as scratch:
        recipe = load.recipe(scratch.root, version)
        scratch.report.line(f"mimalloc {version}, release {recipe.release} -> {request.number}")
        if recipe.release == request.number and recipe.changelog[0].notes == (reason,):
            scratch.report.line("nothing to do")
            return
        if request.number <= recipe.release:
            raise BumpError(
                f"the release number of mimalloc {version} must rise",
                expected=f"{recipe.release + 1} or more",
                got=str(request.number),
                hint=f"--release {recipe.release + 1}: a published number is not used again",
            )
        _try_and_place(scratch, request.number, reason)


def _try_and_place(scratch: ScratchCheckout, number: int, reason: str) -> None:
    text = scratch.recipe.read_text(encoding="utf-8")
    text = recipe_writer.with_entry(text, number, recipe_writer.today(), reason)
    scratch.recipe.write_text(text, encoding="utf-8")
    scratch.report.line("packages")
    trial_build.every_package(scratch)
    scratch.report.line("documents")
    entry = f"- {documents.PACKAGES} {scratch.version}, release {number}: {reason}"
    documents.add_entry(scratch.root, "Changed", entry)
    place_files(scratch)
