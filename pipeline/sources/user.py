"""A source that the user names: a tarball, a folder, a git repository or a URL."""

import re
import shutil
from pathlib import Path

from pipeline.model import Package, UserSource
from pipeline.model.errors import FetchError, RequestError
from pipeline.system import process
from pipeline.system.checksum import identity_of, sha256_of
from pipeline.system.report import Report, without_password


def user_source(location: str, version: str, package: Package) -> UserSource:
    """What ``--source`` names: a URL, a tarball, a git repository (bare or not) or a folder."""
    if re.match(r"https?://", location):
        return UserSource("url", location, without_password(location))
    try:
        return _at(Path(location).expanduser().absolute(), version, package)
    except (OSError, RuntimeError, ValueError) as problem:
        raise RequestError("unreadable source", got=str(problem), file=location) from problem


def _at(path: Path, version: str, package: Package) -> UserSource:
    if path.is_file():
        return UserSource("archive", str(path), f"sha256:{sha256_of(path)}")
    if not path.is_dir():
        raise RequestError(
            "no such source", got=str(path), expected="a tarball, a folder, a repository or a URL"
        )
    if (path / ".git").exists() or (path / "HEAD").is_file():
        return UserSource(
            "git", str(path), _commit(path, package.upstream.tag.format(version=version))
        )
    return UserSource("folder", str(path), identity_of(path, package.reads))


def _commit(repository: Path, tag: str) -> str:
    commit = f"refs/tags/{tag}^{{commit}}"
    argv = ["git", "-C", str(repository), "rev-parse", "--verify", commit]
    what = f"the repository has no tag {tag}, or git cannot read it"
    return process.read(argv, error=FetchError, what=f"{repository}: {what}").strip()


def deliver(
    source: UserSource, part: Path, name: str, *, limit: int, report: Report, log: Path
) -> None:
    """Bring a source of the user into ``part``, as an archive; a folder stays where it is.

    ``name`` is what upstream calls the archive's top folder.
    """
    kind = source.kind
    if kind == "url":
        part.unlink(missing_ok=True)
        # Its library takes time to load, and most runs have no use for it.
        from pipeline.system.download import download

        download(source.location, part, limit=limit, report=report)
    elif kind == "archive":
        shutil.copyfile(source.location, part)
    elif kind == "git":
        _pack(source, part, name, log)


def _pack(source: UserSource, part: Path, name: str, log: Path) -> None:
    """The tagged tree as upstream's release page packs it: with GNU gzip the same bytes."""
    process.run(
        [
            *("git", "-C", source.location, "-c", "tar.tar.gz.command=gzip -cn"),
            *("archive", "--format=tar.gz", f"--prefix={name}/", source.fingerprint),
        ],
        log=log,
        error=FetchError,
        what=f"{source.location}: git cannot archive {source.fingerprint}",
        stdout=part,
    )
