"""Which releases upstream has that are newer than what is pinned, line by line."""

from pathlib import Path

from pipeline.bump import upstream_tags
from pipeline.config import load
from pipeline.system.report import Report


def run(root: Path, source: str) -> None:
    """Print for each line what is pinned and what is newer; ``source`` may be a repository."""
    report = Report()
    released = upstream_tags.versions(load.package(root), source, report)
    report.line(f"{'line':<6}{'pinned':<10}newer")
    for name, pinned, later in upstream_tags.newer(released, load.versions(root)):
        newer = ", ".join(later) or "-"
        if not pinned:
            newer = f"{later[-1]} is the newest; none is pinned"
        report.line(f"{name:<6}{pinned or '-':<10}{newer}")
