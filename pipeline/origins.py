"""Where a release can come from: URL, Python or Debian source package, or the user's hands."""

from __future__ import annotations

import ast
import os
import re
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import process
from pipeline.checksum import identity_of, sha256_of
from pipeline.errors import FetchError, RequestError
from pipeline.model import Handed, Package, Source
from pipeline.report import Report, without_password

_APT = Path("/etc/apt")


def obtain(source: Source, part: Path, *, limit: int, report: Report, log: Path) -> bool:
    """Bring a pinned source's archive into ``part``, unverified.

    The answer is whether an earlier, incomplete ``part`` was gone on with. Raises FetchError.
    """
    if source.kind == "url":
        return _download(source.url, part, limit, report)
    if source.kind == "sdist":
        return _sdist(source.sdist, part, limit, report)
    return _debian(source.debian, part, log)


# --- a Python source distribution ----------------------------------------------------------------


def _sdist(requirement: str, part: Path, limit: int, report: Report) -> bool:
    """The archive as the host's index has it; it is neither built nor asked for its metadata."""
    # What unearth asks the index with, and lets through when there is no connection.
    from httpx2 import HTTPError, InvalidURL
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.errors import UnpackError as IndexTrouble
    from unearth.fetchers import PyPIClient

    settings = dict(_pip_settings())
    asked = [] if settings.get("no-index") else [settings.get("index-url") or _default_index()]
    asked += settings.get("extra-index-url", "").split()
    trusted, certificates = settings.get("trusted-host", "").split(), settings.get("cert", "")
    try:
        context = ssl.create_default_context(cafile=certificates or None)
    except OSError as problem:
        raise FetchError(f"pip's certificates, {certificates}: {problem.strerror}") from problem
    trust = context if certificates else True
    try:
        with PyPIClient(trusted_hosts=trusted, verify=trust) as session:
            session.auth = MultiDomainBasicAuth(index_urls=asked)
            finder = PackageFinder(
                session,  # type: ignore[arg-type]  # its own client, which its types do not cover
                index_urls=asked,
                find_links=settings.get("find-links", "").split(),
                no_binary=[":all:"],
                ignore_compatibility=True,
            )
            best = finder.find_best_match(requirement, allow_yanked=True).best
    except (HTTPError, InvalidURL, IndexTrouble, OSError, ValueError) as problem:
        raise FetchError(
            f"{requirement}: the package index: {without_password(problem)}"
        ) from problem
    if best is None or best.link is None:
        raise FetchError(f"{requirement}: not on the package index that pip is set up for")
    if best.link.is_file:
        shutil.copyfile(best.link.file_path, part)
        return False
    url = best.link.url_without_fragment
    return _download(url, part, limit, report, certificates)


def _download(url: str, part: Path, limit: int, report: Report, certificates: str = "") -> bool:
    # Its library takes time to load, and most runs have no use for it.
    from pipeline.download import download

    return download(url, part, limit=limit, report=report, certificates=certificates)


def _pip_settings() -> Iterator[tuple[str, str]]:
    """What pip is set up with, from its files and from the environment, the strongest last."""
    told = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "XDG_"))}
    code, answer, complaint = process.attempt(
        [sys.executable, "-m", "pip", "config", "list"], env=told
    )
    if code != 0:
        last = "".join(complaint.splitlines()[-1:])
        raise FetchError("pip does not tell which index it asks", got=last, hint="./bootstrap")
    found = re.findall(r"^(\S+?)\.([a-z-]+)=(.*)$", answer, re.MULTILINE)
    for _, name, value in sorted(found, key=lambda entry: entry[0] == ":env:"):
        yield name, str(ast.literal_eval(value))


def _default_index() -> str:
    """The index that pip asks where nobody has set up another."""
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


# --- a Debian source package ---------------------------------------------------------------------


def _debian(request: str, part: Path, log: Path) -> bool:
    """The upstream tarball of a source package, from the archives that the host's apt knows.

    Their source lists, and all that apt learns from them, stay in a temporary folder: the host's
    own configuration is read and never changed.
    """
    if not shutil.which("apt-get"):
        raise FetchError(f"{request}: no apt-get on this host")
    with _apt() as (scratch, settings):
        process.run(
            ["apt-get", *settings, "source", "--download-only", "--tar-only", request],
            log=log,
            error=FetchError,
            what=f"{request}: not to be had from the archives that apt is set up for",
            cwd=scratch,
        )
        tarballs = sorted(scratch.glob("*.orig.tar.*"))
        if not tarballs:
            raise FetchError(f"{request}: the source package has no upstream tarball")
        shutil.copyfile(tarballs[0], part)
    return False


def debian_versions(name: str) -> list[str]:
    """The versions of a source package in the archives that the host's apt knows, as they come."""
    if not shutil.which("apt-cache"):
        return []
    with _apt() as (scratch, settings):
        argv = ["apt-cache", *settings, "showsrc", "--only-source", name]
        _, told, _ = process.attempt(argv, cwd=scratch)
    return re.findall(r"^Version: (\S+)$", told, re.MULTILINE)


@contextmanager
def _apt() -> Iterator[tuple[Path, list[str]]]:
    """A folder, and the options by which apt knows of sources, and keeps to that folder."""
    with TemporaryDirectory(prefix="mimalloc-apt-") as name:
        scratch = Path(name)
        settings = _private_apt(scratch)
        # Some of the host's archives may have no sources; the next command tells.
        process.attempt(["apt-get", *settings, "update"], cwd=scratch)
        yield scratch, settings


def _private_apt(scratch: Path) -> list[str]:
    parts = scratch / "sources.d"
    for folder in (
        parts,
        scratch / "lists" / "partial",
        scratch / "cache" / "archives" / "partial",
    ):
        folder.mkdir(parents=True)
    for file in [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]:
        if file.suffix in (".list", ".sources") and file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            (parts / file.name).write_text(_as_source_entries(text), encoding="utf-8")
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": parts,
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _as_source_entries(text: str) -> str:
    """The same archives, asked for sources: one-line entries and deb822 alike."""
    text = re.sub(r"^deb(?=\s)", "deb-src", text, flags=re.MULTILINE)
    return re.sub(r"^(Types:).*$", r"\1 deb-src", text, flags=re.MULTILINE)


# --- what the user hands over --------------------------------------------------------------------


def handed(location: str, version: str, package: Package) -> Handed:
    """What ``--source`` names: a URL, a tarball, a git repository (bare or not) or a folder."""
    if re.match(r"https?://", location):
        return Handed("url", location, without_password(location))
    try:
        return _handed(Path(location).expanduser().absolute(), version, package)
    except (OSError, RuntimeError, ValueError) as problem:
        raise RequestError("unreadable source", got=str(problem), file=location) from problem


def _handed(path: Path, version: str, package: Package) -> Handed:
    if path.is_file():
        return Handed("archive", str(path), f"sha256:{sha256_of(path)}")
    if not path.is_dir():
        raise RequestError(
            "no such source", got=str(path), expected="a tarball, a folder, a repository or a URL"
        )
    if (path / ".git").exists() or (path / "HEAD").is_file():
        return Handed("git", str(path), _commit(path, package.upstream.tag.format(version=version)))
    return Handed("folder", str(path), identity_of(path, package.reads))


def _commit(repository: Path, tag: str) -> str:
    commit = f"refs/tags/{tag}^{{commit}}"
    argv = ["git", "-C", str(repository), "rev-parse", "--verify", commit]
    what = f"the repository has no tag {tag}, or git cannot read it"
    return process.read(argv, error=FetchError, what=f"{repository}: {what}").strip()


def deliver(given: Handed, part: Path, name: str, *, limit: int, report: Report, log: Path) -> None:
    """Bring what the user hands over into ``part``, as an archive; a folder stays where it is.

    ``name`` is what upstream calls the archive's top folder.
    """
    kind = given.kind
    if kind == "url":
        part.unlink(missing_ok=True)
        _download(given.location, part, limit, report)
    elif kind == "archive":
        shutil.copyfile(given.location, part)
    elif kind == "git":
        _pack(given, part, name, log)


def _pack(given: Handed, part: Path, name: str, log: Path) -> None:
    """The tagged tree as upstream's release page packs it: with GNU gzip the same bytes."""
    process.run(
        [
            *("git", "-C", given.location, "-c", "tar.tar.gz.command=gzip -cn"),
            *("archive", "--format=tar.gz", f"--prefix={name}/", given.seal),
        ],
        log=log,
        error=FetchError,
        what=f"{given.location}: git cannot archive {given.seal}",
        stdout=part,
    )
