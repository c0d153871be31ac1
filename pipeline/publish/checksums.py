"""Signed lists of checksums: what is served as its list says was verified when it was put there."""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path

from pipeline.artifact.statement import accompanying_files
from pipeline.publish.key import Key
from pipeline.system.checksum import sha256_of

# The name that is served; its signature is beside it, in `.asc`.
_NAME = "SHA256SUMS"


def write(folder: Path, key: Key, known: Mapping[str, str]) -> None:
    """List the files of a folder, as sha256sum does, and sign the list.

    ``known`` are checksums of files that were intact, by their names: one that was changed since is
    found the next time.
    """
    files = sorted(folder.iterdir())
    lines = [f"{known.get(file.name) or sha256_of(file)}  {file.name}\n" for file in files]
    listing = folder / _NAME
    listing.write_text("".join(lines), encoding="utf-8")
    key.sign_file(listing)


def intact(rpms: Iterable[Path], key: Key) -> dict[Path, str]:
    """The checksums of the packages that a list of the key names, and of the files beside them.

    Each is byte for byte the file whose signature and statement were verified before the list was
    signed. A list that another key has signed, or that was changed, names nothing.
    """
    listed, sums = cache(partial(_listed, key=key)), dict[Path, str]()
    for rpm in rpms:
        files, expected = (rpm, *accompanying_files(rpm)), listed(rpm.parent)
        if all(_is_in(expected, file) for file in files):
            sums |= {file: expected[file.name] for file in files}
    return sums


def _listed(folder: Path, key: Key) -> dict[str, str]:
    """The checksums of files by the list in their folder, if the key has signed it."""
    listing = folder / _NAME
    if not (listing.is_file() and key.has_signed(listing)):
        return {}
    text = listing.read_text(encoding="utf-8", errors="replace")
    rows = (line.partition("  ") for line in text.splitlines())
    return {name: sha256 for sha256, _, name in rows}


def _is_in(sums: Mapping[str, str], file: Path) -> bool:
    return file.name in sums and file.is_file() and sha256_of(file) == sums[file.name]
