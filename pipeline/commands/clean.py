"""Remove what was built, once no other run uses it."""

from functools import partial
from pathlib import Path

from pipeline.system.disk import guarded
from pipeline.system.locks import CACHE, CHECKOUT, cache_locks, locked
from pipeline.system.report import Report
from pipeline.system.workspace import locate, remove


def run(root: Path, *, everything: bool = False) -> None:
    """Remove the work folder, and with ``everything`` the finished packages and the cache too."""
    place, report = locate(root), Report()
    waiting = partial(report.line, "waiting for a build to end")
    with guarded(), locked(place.locks, CHECKOUT, waiting=waiting):
        for folder in [place.work.parent, *([place.dist] if everything else [])]:
            remove(folder)
            report.line(f"removed {folder}")
        # No run holds one of these: it would hold the lock of the checkout, too.
        for lock in place.locks.glob("*.lock"):
            if lock.stem != CHECKOUT:
                lock.unlink()
        if everything and place.cache.is_dir():
            waiting = partial(report.line, "waiting for another checkout that uses the cache")
            with locked(cache_locks(place), CACHE, waiting=waiting):
                for entry in place.cache.iterdir():
                    # Other checkouts may wait for its locks.
                    if entry != cache_locks(place):
                        remove(entry)
            report.line(f"emptied {place.cache}")
