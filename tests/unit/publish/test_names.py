"""`publish.names`: what packages say about themselves."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.inspect import header
from pipeline.model.errors import CheckError
from pipeline.publish import names
from pipeline.publish.names import Outline


def test_what_is_required_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not of the system, nor of others with a like name; of what rpm cannot read, nothing."""
    needs = {"mimalloc-custom = 3.4.3-1.el8", "mimalloc-custom-tools"}
    others = {"mimalloc-customs", "rpmlib(FileDigests) <= 4.6.0-1", "/bin/sh"}

    def outlines(rpms: Sequence[Path], *, home: Path) -> list[tuple[str, frozenset[str]]]:
        if Path("bad.rpm") in rpms:
            raise CheckError("rpm cannot read the packages")
        return [(f"header-of-{rpm.name}", frozenset(needs | others)) for rpm in rpms]

    monkeypatch.setattr(header, "outlines", outlines)

    files = [Path(name) for name in ("a.rpm", "bad.rpm", "c.rpm")]
    assert {
        "a.rpm": Outline("header-of-a.rpm", frozenset(needs)),
        "bad.rpm": Outline("", frozenset()),
        "c.rpm": Outline("header-of-c.rpm", frozenset(needs)),
    } == names.read(files, "mimalloc-custom", tmp_path)
