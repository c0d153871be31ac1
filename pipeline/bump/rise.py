"""A pinned release built once more, under a higher release number and with a reason; or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import recipes, workspace
from pipeline.bump import converge, draft, prove, state, texts
from pipeline.bump.prove import Bench
from pipeline.errors import BumpError, RequestError
from pipeline.model import Recipe
from pipeline.report import Report
from pipeline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for; ``source`` is where to take the release from, as for a build."""

    version: str
    number: int
    reason: str
    source: str = ""
    offline: bool = False
    jobs: int = 0


def run(root: Path, order: Order, report: Report) -> None:
    """Raise the release number, or find that it is raised. Raises BumpError for a lower one."""
    reason = " ".join(order.reason.split())
    if not reason:
        raise RequestError("--reason", expected="a sentence for the changelog", got="none")
    place = workspace.locate(root)
    with converge.alone(place, report):
        version = recipes.known("version", order.version, recipes.versions(root))
        recipe = recipes.recipe(root, version)
        report.line(f"mimalloc {version}, release {recipe.release} -> {order.number}")
        if _is_done(recipe, order, reason):
            report.line("nothing to do")
            return
        _act(place, order, reason, report)


def _is_done(recipe: Recipe, order: Order, reason: str) -> bool:
    """Whether this very entry is there. Raises BumpError where the number does not rise."""
    newest = recipe.changelog[0]
    if newest.release == order.number and newest.notes == (reason,):
        return True
    if order.number <= newest.release:
        raise BumpError(
            f"the release number of mimalloc {recipe.version} must rise",
            expected=f"{newest.release + 1} or more",
            got=str(order.number),
            hint=f"--release {newest.release + 1}: what is out under a number keeps it",
        )
    return False


def _act(place: Workspace, order: Order, reason: str, report: Report) -> None:
    root, version = place.root, order.version
    seal = state.seal(root)
    where = Workspace(place.work / "bump" / version / "checkout", place.cache)
    bench = Bench(where, order.source, order.offline, order.jobs)
    prove.checkout(root, bench.root)
    file = bench.root / "recipes" / f"{version}.toml"
    text = file.read_text(encoding="utf-8")
    text = draft.with_entry(text, order.number, converge.today(), reason)
    file.write_text(text, encoding="utf-8")
    converge.heading(report, "packages")
    prove.everything(version, bench, report)
    converge.heading(report, "texts")
    log = bench.root / texts.CHANGELOG
    entry = f"- {texts.PACKAGES} {version}, release {order.number}: {reason}"
    text = texts.with_entry(log.read_text(encoding="utf-8"), "Changed", entry)
    log.write_text(text, encoding="utf-8")
    converge.settle(root, bench.root, version, seal, report)
