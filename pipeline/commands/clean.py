"""Remove what was made, once nobody uses it."""

from pathlib import Path

from pipeline.system.disk import guarded
from pipeline.system.locks import CACHE, CHECKOUT, alone, cache_locks, locked
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace, locate, remove


def run(root: Path, *, everything: bool = False) -> None:
    """Remove the work folder, and with ``everything`` the finished packages and the cache too."""
    place, report = locate(root), Report()
    with guarded(), alone(place, waiting=lambda: report.line("waiting for a build to end")):
        for target in [place.work.parent, *([place.dist] if everything else [])]:
            remove(target)
            report.line(f"removed {target}")
        # Nobody holds one of the others: who does, holds this one first.
        for lock in place.locks.glob("*.lock"):
            if lock.stem != CHECKOUT:
                lock.unlink()
        if everything and place.cache.is_dir():
            _empty_cache(place, report)


def _empty_cache(place: Workspace, report: Report) -> None:
    """Remove what is in the cache but for its locks, which other checkouts may be waiting at."""
    waiting = "waiting for another checkout that uses the cache"
    with locked(cache_locks(place), CACHE, waiting=lambda: report.line(waiting)):
        for entry in place.cache.iterdir():
            if entry != cache_locks(place):
                remove(entry)
    report.line(f"emptied {place.cache}")
