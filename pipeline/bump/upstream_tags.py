"""Which releases upstream has: the tags of its host or of a repository, told by line."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.version import InvalidVersion, Version

from pipeline.model import Package
from pipeline.model.errors import BumpError, FetchError, RequestError
from pipeline.system import process
from pipeline.system.report import Report, without_password

# Tags that are asked for at once, and pages after which nobody has that many.
COUNT, PAGES = 100, 50

_PLAIN = re.compile(r"\d+(\.\d+)+")


def versions(package: Package, source: str, report: Report) -> list[str]:
    """The plain releases that upstream has tagged, oldest first; ``source`` may be a repository.

    What is no plain release, such as an alpha, is left out. Raises FetchError.
    """
    names = _of_repository(source) if source else _of_host(package, report)
    before, after = package.upstream.tag.split("{version}")
    ours = (name for name in names if name.startswith(before) and name.endswith(after))
    found = {name.removeprefix(before).removesuffix(after) for name in ours}
    return sorted(filter(_PLAIN.fullmatch, found), key=Version)


def line(version: str) -> str:
    """The line that a version belongs to. Raises RequestError for what is no version."""
    try:
        return f"v{Version(version).major}"
    except InvalidVersion as problem:
        raise RequestError(
            f"{version!r} is not a version", expected="such as 2.4.1", got=version
        ) from problem


def newest(name: str, released: Iterable[str]) -> str:
    """The newest release of a line. Raises BumpError where it has none."""
    of = [version for version in released if line(version) == name]
    if not of:
        raise BumpError(f"upstream has no release of the line {name}", hint="invoke bump --list")
    return of[-1]


def newer(released: Iterable[str], pinned: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """For each line its name, the newest pinned version, and the releases that are newer."""
    released, pinned = list(released), list(pinned)
    for name in sorted({line(version) for version in [*released, *pinned]}):
        ours = [version for version in pinned if line(version) == name]
        theirs = [version for version in released if line(version) == name]
        newest = max(ours, key=Version) if ours else ""
        later = [each for each in theirs if not newest or Version(each) > Version(newest)]
        yield name, newest, later


def _of_repository(source: str) -> list[str]:
    path = Path(source).expanduser().absolute()
    what = f"{source} is no git repository, or git cannot read it"
    return process.read(["git", "-C", path, "tag", "--list"], error=FetchError, what=what).split()


def _of_host(package: Package, report: Report) -> Iterator[str]:
    # Its library takes time to load, and a bump from a repository has no use for it.
    from pipeline.system.download import download

    with TemporaryDirectory(prefix="mimalloc-tags-") as folder:
        for page in range(1, PAGES + 1):
            url = package.upstream.tags.format(count=COUNT, page=page)
            part = Path(folder, str(page))
            download(url, part, limit=package.limits.download, report=report)
            names = _names(url, part)
            yield from names
            if len(names) < COUNT:
                return


def _names(url: str, answer: Path) -> list[str]:
    try:
        names = [entry["name"] for entry in json.loads(answer.read_bytes())]
    except (ValueError, TypeError, KeyError) as problem:
        raise FetchError(
            f"{without_password(url)}: not a list of tags",
            got=answer.read_text(encoding="utf-8", errors="replace")[:200],
            hint="hand over a repository: invoke bump --source GIT-REPOSITORY ...",
        ) from problem
    return [name for name in names if isinstance(name, str)]
