"""The releases that upstream has: the tags of its host or of a repository, by line."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.version import Version

from pipeline.config import load
from pipeline.model import Package
from pipeline.model.errors import BumpError, FetchError, RequestError
from pipeline.sources import git
from pipeline.system.download import download
from pipeline.system.report import Report, without_password
from pipeline.system.temporary import temporary

# Tags of one page, and pages that are read at most.
COUNT, PAGES = 100, 50

_PLAIN = re.compile(r"\d+(\.\d+)+")
_VERSION = re.compile(rf"{_PLAIN.pattern}(-?(a|alpha|b|beta|rc)\d*)?")


def show(root: Path, source: str) -> dict[str, object]:
    """Print for each line what is pinned and what is newer; ``source`` may be a repository.

    The answer is for ``--json``.
    """
    lines: dict[str, object] = {}
    report, pinned = Report(), load.versions(root)
    released = versions(load.package(root), source, report)
    report.line(f"{'line':<6}{'pinned':<10}newer")
    for name in sorted({line(version) for version in [*released, *pinned]}):
        newest = next((version for version in reversed(pinned) if line(version) == name), "")
        newer = [v for v in released if line(v) == name and Version(v) > Version(newest or "0")]
        text = ", ".join(newer) or "none"
        if not newest:
            text = f"{newer[-1]} is the newest; none is pinned"
        report.line(f"{name:<6}{newest or 'none':<10}{text}")
        lines[name] = {"pinned": newest, "newer": newer}
    return {"lines": lines}


def versions(package: Package, source: str, report: Report) -> list[str]:
    """The plain releases that upstream has tagged, oldest first; ``source`` may be a repository.

    Pre-releases, such as an alpha, are left out. Raises FetchError.
    """
    if source:
        names = iter(git.tags(Path(source).expanduser().absolute()))
    else:
        names = _of_host(package, report)
    before, after = package.upstream.tag.split("{version}")
    tags = (name for name in names if name.startswith(before) and name.endswith(after))
    released = {name.removeprefix(before).removesuffix(after) for name in tags}
    return sorted(filter(_PLAIN.fullmatch, released), key=Version)


def line(version: str) -> str:
    """The line that a version belongs to. Raises RequestError for what is no version."""
    if not _VERSION.fullmatch(version):
        raise RequestError("not a version", expected="such as 2.4.1", got=version)
    return f"v{version.partition('.')[0]}"


def newest(name: str, released: Iterable[str]) -> str:
    """The newest release of a line, such as ``v3`` or ``3``. Raises BumpError where it has none."""
    name = f"v{name.removeprefix('v')}"
    of_line = [version for version in released if line(version) == name]
    if not of_line:
        raise BumpError(f"upstream has no release of the line {name}", hint="invoke bump --list")
    return of_line[-1]


def _of_host(package: Package, report: Report) -> Iterator[str]:
    with temporary("tags") as folder:
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
        return [str(entry["name"]) for entry in json.loads(answer.read_bytes())]
    except (ValueError, TypeError, KeyError) as problem:
        raise FetchError(
            f"{without_password(url)}: not a list of tags",
            got=answer.read_text(encoding="utf-8", errors="replace")[:200],
            hint="name a repository: invoke bump --source GIT-REPOSITORY ...",
        ) from problem
