"""A source that the user names: a tarball, a folder, a git repository or a URL."""

import re
import shutil
from pathlib import Path

from pipeline.model import Package, UserSource
from pipeline.model.errors import FetchError, RequestError
from pipeline.sources import git
from pipeline.system.checksum import identity_of, sha256_of
from pipeline.system.download import download
from pipeline.system.report import Report, without_password


def user_source(location: str, version: str, package: Package) -> UserSource:
    """What ``--source`` names: a URL, a tarball, a git repository (bare or not) or a folder."""
    if re.match(r"https?://", location):
        return UserSource("url", location, without_password(location))
    try:
        path = Path(location).expanduser().absolute()
        if path.is_file():
            return UserSource("archive", str(path), f"sha256:{sha256_of(path)}")
        if git.is_repository(path):
            return UserSource("git", str(path), _tagged_commit(path, version, package))
        if path.is_dir():
            return UserSource("folder", str(path), identity_of(path, package.identity))
    except (OSError, RuntimeError, ValueError) as problem:
        raise RequestError("unreadable source", got=str(problem), file=location) from problem
    expected = "a tarball, a folder, a repository or a URL"
    raise RequestError("no such source", got=str(path), expected=expected)


def _tagged_commit(path: Path, version: str, package: Package) -> str:
    tag, tags = package.upstream.tag.format(version=version), git.tags(path)
    if tag not in tags:
        hint = f"git -C {path} fetch --tags"
        raise FetchError(f"{path}: the repository has no tag {tag}", hint=hint)
    return tags[tag]


def deliver(
    source: UserSource, part: Path, name: str, *, limit: int, report: Report, log: Path
) -> None:
    """Put the user's source into ``part``, as an archive; a folder stays where it is.

    ``name`` is that of the archive's top folder. Raises FetchError.
    """
    if source.kind == "url":
        part.unlink(missing_ok=True)
        download(source.location, part, limit=limit, report=report)
    elif source.kind == "archive":
        shutil.copyfile(source.location, part)
    elif source.kind == "git":
        git.pack(Path(source.location), source.fingerprint, name, part, log)
