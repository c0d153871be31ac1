"""Checksums: of a file, of a tree, of what a step depends on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def identity_of(tree: Path, reads: Callable[[PurePosixPath], bool] = lambda _: True) -> str:
    """The identity of the files below ``tree`` that ``reads`` selects: ``sha256:`` and a checksum.

    It is that of what ``find * -type f | LC_ALL=C sort | xargs sha256sum`` prints there.
    """
    files = {file.relative_to(tree).as_posix(): file for file in tree.rglob("*") if file.is_file()}
    names = sorted(os.fsencode(name) for name in files if reads(PurePosixPath(name)))
    listing = b"".join(
        sha256_of(files[os.fsdecode(name)]).encode() + b"  " + name + b"\n" for name in names
    )
    return f"sha256:{hashlib.sha256(listing).hexdigest()}"


def digest(*values: object) -> str:
    """One key, 64 hex digits, for values that JSON can hold or that have an exact ``repr``."""
    text = json.dumps(values, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_files(files: Iterable[Path]) -> str:
    """One key for the contents of files; their names and order do not matter."""
    return digest(sorted(sha256_of(file) for file in files))
