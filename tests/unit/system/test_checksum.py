"""`checksum`: of files, of trees, of what a step depends on."""

import hashlib
import subprocess
from datetime import date
from pathlib import Path

import pytest

from pipeline.model import Plan
from pipeline.system.checksum import digest, digest_of_files, identity_of, sha256_of
from tests.unit import release


def test_file_checksum_is_that_of_sha256sum(tmp_path: Path) -> None:
    """A file's checksum is the SHA-256 of its bytes."""
    file = tmp_path / "file"
    file.write_bytes(b"\x00\xff\n")

    assert hashlib.sha256(b"\x00\xff\n").hexdigest() == sha256_of(file)


def test_identity_is_what_the_documented_command_prints(tmp_path: Path) -> None:
    """The identity of a tree can be computed with find, sort and sha256sum."""
    release.unfold(tmp_path, {**release.TREE, "src/Ärger": "x", "src.h": "", "src-1/a": "y"})
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    result = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)

    assert f"sha256:{result.stdout.split()[0]}" == identity_of(tmp_path)


def test_identity_counts_only_what_a_build_reads(tmp_path: Path, plan: Plan) -> None:
    """Trees that leave out upstream's docs have the same identity."""
    whole = release.unfold(tmp_path / "whole")
    minimal = release.unfold(tmp_path / "minimal", release.TREE)

    assert identity_of(minimal) == identity_of(whole, plan.package.identity)
    assert release.identity() == identity_of(minimal)


@pytest.mark.parametrize(
    "changed",
    [
        {**release.TREE, "src/alloc.c": release.ALLOC + "\n"},
        {name: text for name, text in release.TREE.items() if name != "LICENSE"},
        {**release.TREE, "src/new.c": ""},
        {**{n: t for n, t in release.TREE.items() if n != "LICENSE"}, "License": "MIT License\n"},
    ],
    ids=["content", "missing", "added", "renamed"],
)
def test_identity_changes_with_the_tree(tmp_path: Path, changed: dict[str, str]) -> None:
    """Content, presence and name of every file are part of the identity."""
    assert release.identity() != identity_of(release.unfold(tmp_path, changed))


def test_identity_sorts_by_bytes(tmp_path: Path) -> None:
    """The order is that of the C locale, not that of the file system."""
    release.unfold(tmp_path, {"b": "1", "B": "2", "a/z": "3", "a.c": "4"})
    names = ("B", "a.c", "a/z", "b")
    listing = "".join(f"{sha256_of(tmp_path / name)}  {name}\n" for name in names)

    assert f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}" == identity_of(tmp_path)
    assert identity_of(tmp_path) != identity_of(tmp_path, ("a/", "a.c", "b"))


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    """Equal mappings have equal digests."""
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_digest_distinguishes_values() -> None:
    """Both the grouping and the type of values count."""
    lists: list[list[object]] = [["a", "b"], ["ab"], [["a", "b"]], ["1"], [1], [None]]

    assert len(lists) == len({digest(*values) for values in lists})


def test_digest_of_values_that_json_cannot_hold() -> None:
    """Dates and dataclasses count by their `repr`."""
    assert digest(date(2022, 4, 14)) == digest(date(2022, 4, 14))
    assert digest(date(2022, 4, 14)) != digest(date(2022, 4, 15))


def test_digest_of_files_counts_contents_only(tmp_path: Path) -> None:
    """Neither names nor order of files change their key; a byte does."""
    first, second, copy = tmp_path / "first", tmp_path / "second", tmp_path / "copy"
    first.write_text("1")
    second.write_text("2")
    copy.write_text("1")

    assert digest_of_files([first, second]) == digest_of_files([second, copy])
    assert digest_of_files([first, second]) != digest_of_files([first, copy])
