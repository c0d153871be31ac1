"""What the doors call: a release is pinned, its number is raised, newer releases are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import recipes
from pipeline.bump import changes, pin, releases, rise
from pipeline.errors import RequestError
from pipeline.report import Report


def pin_release(root: Path, version: str, line: str, *, accept: str, **order: Any) -> None:
    """Pin a release, by its version or as the newest of its line."""
    if bool(version) == bool(line):
        raise RequestError(
            "which release?", expected="--version or --line, or --list", got="both or neither"
        )
    report = Report()
    if line:
        package, source = recipes.package(root), order["source"]
        version = releases.newest(line, releases.versions(package, source, report))
    pin.run(root, pin.Order(version, accept=changes.chosen(accept), **order), report)


def raise_release(root: Path, version: str, number: int, reason: str, **how: Any) -> None:
    """Raise the release number of a pinned release."""
    rise.run(root, rise.Order(version, number, reason, **how), Report())


def show(root: Path, source: str) -> None:
    """For each line what is pinned, and which releases of upstream's are newer."""
    report = Report()
    released = releases.versions(recipes.package(root), source, report)
    report.line(f"{'line':<6}{'pinned':<10}newer")
    for name, pinned, later in releases.newer(released, recipes.versions(root)):
        told = ", ".join(later) or "-"
        if not pinned:
            told = f"{later[-1]} is the newest; none is pinned"
        report.line(f"{name:<6}{pinned or '-':<10}{told}")
