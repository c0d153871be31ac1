"""The archive of a source that a recipe pins, from wherever its kind is had."""

from pathlib import Path

from pipeline.model import Source
from pipeline.sources import debian, python_index
from pipeline.system.report import Report


def obtain(source: Source, part: Path, *, limit: int, report: Report, log: Path) -> bool:
    """Bring a pinned source's archive into ``part``, unverified.

    The answer is whether an earlier, incomplete ``part`` was gone on with. Raises FetchError.
    """
    if source.kind == "url":
        # Its library takes time to load, and most runs have no use for it.
        from pipeline.system.download import download

        return download(source.url, part, limit=limit, report=report)
    if source.kind == "sdist":
        return python_index.obtain(source.sdist, part, limit=limit, report=report)
    debian.obtain(source.debian, part, log)
    return False
