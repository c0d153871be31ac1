"""The archive of a source that a recipe pins: from a URL, a Python index or Debian's archives."""

from pathlib import Path

from pipeline.model import Source
from pipeline.sources import debian, python_index
from pipeline.system.download import download
from pipeline.system.report import Report


def obtain(source: Source, part: Path, *, limit: int, report: Report, log: Path) -> None:
    """Put a pinned source's archive, not yet verified, into ``part``. Raises FetchError."""
    if source.kind == "url":
        download(source.url, part, limit=limit, report=report)
    elif source.kind == "sdist":
        python_index.obtain(source.sdist, part, limit=limit, report=report)
    else:
        debian.obtain(source.debian, part, log)
