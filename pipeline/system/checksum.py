"""Checksums: of a file, of a tree, of what a step depends on."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pipeline.model import holds


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content, as 64 hex digits."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def identity_of(tree: Path, listing: tuple[str, ...] = ()) -> str:
    """The identity of the files below ``tree``, or of those in ``listing`` only.

    It is the checksum of what ``find * -type f | LC_ALL=C sort | xargs sha256sum`` prints there.
    """
    paths = [PurePosixPath(f.relative_to(tree)) for f in tree.rglob("*") if f.is_file()]
    checksum = hashlib.sha256()
    for path in sorted(paths, key=os.fsencode):
        if not listing or holds(listing, path):
            checksum.update(sha256_of(tree / path).encode() + b"  " + os.fsencode(path) + b"\n")
    return f"sha256:{checksum.hexdigest()}"


def digest(*values: object) -> str:
    """One key, 64 hex digits, for values that JSON can hold or that have an exact ``repr``."""
    text = json.dumps(values, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_files(files: Iterable[Path]) -> str:
    """One key for the contents of files; their names and order do not matter."""
    return digest(sorted(sha256_of(file) for file in files))
