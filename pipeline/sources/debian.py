"""The upstream tarball of a Debian source package, from the archives that apt is set up for."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.model.errors import FetchError
from pipeline.system import process

_APT = Path("/etc/apt")


def obtain(request: str, part: Path, log: Path) -> None:
    """Bring the tarball of a source package from the archives that the host's apt knows.

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


def versions(name: str) -> list[str]:
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
