"""The upstream tarball of a Debian source package, from the archives that apt is set up for."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.model.errors import FetchError
from pipeline.system import process
from pipeline.system.temporary import temporary

_CONFIGURATION = Path("/etc/apt")


def obtain(request: str, part: Path, log: Path) -> None:
    """Put the tarball of a source package, such as ``mimalloc=2.0.9+ds-2``, into ``part``.

    The host's apt configuration is read and never changed. Raises FetchError.
    """
    if not shutil.which("apt-get"):
        raise FetchError(f"{request}: no apt-get on this host")
    with _private_apt() as (folder, options):
        process.run(
            ["apt-get", *options, "source", "--download-only", "--tar-only", request],
            log=log,
            error=FetchError(f"{request}: not in the archives that apt is set up for"),
            cwd=folder,
        )
        tarballs = sorted(folder.glob("*.orig.tar.*"))
        if not tarballs:
            raise FetchError(f"{request}: the source package has no upstream tarball")
        shutil.copyfile(tarballs[0], part)


def versions(name: str) -> list[str]:
    """The versions of a source package in the archives that apt is set up for, in apt's order."""
    if not shutil.which("apt-cache"):
        return []
    with _private_apt() as (folder, options):
        argv = ["apt-cache", *options, "showsrc", "--only-source", name]
        _, output, _ = process.attempt(argv, cwd=folder)
    return re.findall(r"^Version: (\S+)$", output, re.MULTILINE)


@contextmanager
def _private_apt() -> Iterator[tuple[Path, list[str]]]:
    """A temporary folder with the lists of the host's archives, and the options to use it."""
    with temporary("apt") as folder:
        parts, lists, cache = folder / "sources.d", folder / "lists", folder / "cache"
        for directory in (parts, lists / "partial", cache / "archives" / "partial"):
            directory.mkdir(parents=True)
        sources = (_CONFIGURATION / "sources.list.d").glob("*")
        for file in [_CONFIGURATION / "sources.list", *sources]:
            if file.suffix in (".list", ".sources") and file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace")
                (parts / file.name).write_text(_source_entries(text), encoding="utf-8")
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": parts,
            "Dir::State::lists": lists,
            "Dir::Cache": cache,
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
        # It fails if one of the archives has no sources; the others are enough.
        process.attempt(["apt-get", *options, "update"], cwd=folder)
        yield folder, options


def _source_entries(text: str) -> str:
    """The same archives, with their sources only: one-line entries and deb822 alike."""
    text = re.sub(r"^deb(?=\s)", "deb-src", text, flags=re.MULTILINE)
    return re.sub(r"^(Types:).*$", r"\1 deb-src", text, flags=re.MULTILINE)
