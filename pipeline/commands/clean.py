"""Remove what was built, once no other run uses it, and what runs that were killed have left."""

import sys
from functools import partial
from pathlib import Path

from pipeline.model.errors import RequestError
from pipeline.system.disk import guarded
from pipeline.system.locks import CACHE, CHECKOUT, cache_locks, locked
from pipeline.system.report import Report
from pipeline.system.temporary import abandoned
from pipeline.system.workspace import Workspace, locate, remove


def run(root: Path, *, everything: bool = False, yes: bool = False) -> None:
    """Remove the work folder, and with ``everything`` the finished packages and the cache too.

    That is asked about first, unless ``yes``. Raises RequestError where the answer is not yes.
    """
    place, report = locate(root), Report()
    if everything and not yes:
        _ask(place)
    waiting = partial(report.line, "waiting for a build to end")
    with guarded(), locked(place.locks, CHECKOUT, waiting=waiting):
        for folder in [place.work.parent, *([place.dist] if everything else []), *abandoned()]:
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


def _ask(place: Workspace) -> None:
    """Raise RequestError unless the user, who must have a terminal, says yes."""
    question = f"remove {place.dist} and the content of {place.cache}? [y/N] "
    got = "no terminal to ask at"
    if sys.stdin.isatty():
        sys.stderr.write(question)
        sys.stderr.flush()
        got = sys.stdin.readline().strip()
    if got.lower() not in ("y", "yes"):
        raise RequestError(
            "nothing was removed: packages and cache are not made again at once",
            expected="y, or --yes",
            got=got or "no answer",
            hint="invoke clean --everything --yes",
        )
