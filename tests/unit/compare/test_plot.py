"""`plot`: the same results give the same picture, byte for byte."""

from pathlib import Path

import pytest

from pipeline.compare import plot
from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from tests.unit.compare.rounds import OURS, results

ALLOCATORS = [Allocator(C_LIBRARY), Allocator(CONTROL), Allocator(OURS, ours=True)]


def drawn(folder: Path) -> list[bytes]:
    """The picture in both formats."""
    folder.mkdir()
    files = [folder / f"x.{ending}" for ending in ("svg", "png")]
    plot.draw(results(), ALLOCATORS, files)
    return [file.read_bytes() for file in files]


def test_a_picture_has_no_date_and_no_random_names(tmp_path: Path) -> None:
    """It can be committed beside the document; it changes only where the results do."""
    pytest.importorskip("matplotlib")
    vector, pixels = drawn(tmp_path / "one")

    assert [vector, pixels] == drawn(tmp_path / "two")
    assert vector.startswith(b"<?xml")
    assert pixels.startswith(b"\x89PNG")
