"""A pinned release built once more, under a higher release number and with a reason; or nothing."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.bump import converge, documents, recipe_writer, state, trial_build
from pipeline.bump.trial_build import ScratchCheckout
from pipeline.config import load
from pipeline.model import Options, Recipe
from pipeline.model.errors import BumpError, RequestError
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted; ``source`` is where to take the release from, as for a build."""

    version: str
    number: int
    reason: str
    source: str = ""
    options: Options = field(default_factory=Options)


def run(root: Path, request: Request) -> None:
    """Raise the release number, or find that it is raised. Raises BumpError for a lower one."""
    report, reason = Report(), " ".join(request.reason.split())
    if not reason:
        raise RequestError("--reason", expected="a sentence for the changelog", got="none")
    place = workspace.locate(root)
    with converge.alone(place, report):
        version = load.known("version", request.version, load.versions(root))
        recipe = load.recipe(root, version)
        report.line(f"mimalloc {version}, release {recipe.release} -> {request.number}")
        if _is_done(recipe, request, reason):
            report.line("nothing to do")
            return
        _act(place, request, reason, report)


def _is_done(recipe: Recipe, request: Request, reason: str) -> bool:
    """Whether this very entry is there. Raises BumpError where the number does not rise."""
    newest = recipe.changelog[0]
    if newest.release == request.number and newest.notes == (reason,):
        return True
    if request.number <= newest.release:
        raise BumpError(
            f"the release number of mimalloc {recipe.version} must rise",
            expected=f"{newest.release + 1} or more",
            got=str(request.number),
            hint=f"--release {newest.release + 1}: what is out under a number keeps it",
        )
    return False


def _act(place: Workspace, request: Request, reason: str, report: Report) -> None:
    root, version = place.root, request.version
    fingerprint = state.fingerprint(root)
    where = Workspace(place.work / "bump" / version / "checkout", place.cache)
    bench = ScratchCheckout(where, request.source, request.options)
    trial_build.checkout(root, bench.root)
    file = bench.root / "recipes" / f"{version}.toml"
    text = file.read_text(encoding="utf-8")
    text = recipe_writer.with_entry(text, request.number, converge.today(), reason)
    file.write_text(text, encoding="utf-8")
    converge.heading(report, "packages")
    trial_build.everything(version, bench, report)
    converge.heading(report, "texts")
    log = bench.root / documents.CHANGELOG
    entry = f"- {documents.PACKAGES} {version}, release {request.number}: {reason}"
    text = documents.with_entry(log.read_text(encoding="utf-8"), "Changed", entry)
    log.write_text(text, encoding="utf-8")
    converge.settle(root, bench.root, version, fingerprint, report)
