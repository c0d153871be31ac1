"""`plot`: the same figures give the same picture, byte for byte."""

from __future__ import annotations

from pathlib import Path

from tests.unit.nginx.test_results import OURS as NAME
from tests.unit.nginx.test_results import results, taken

from pipeline.compare import plot
from pipeline.compare.allocators import C_LIBRARY, CONTROL, OURS, Allocator

ALLOCATORS = [Allocator(C_LIBRARY), Allocator(CONTROL), Allocator(NAME, None, OURS)]


def drawn(folder: Path) -> list[bytes]:
    """The picture in both forms."""
    folder.mkdir()
    targets = [folder / f"x.{ending}" for ending in ("svg", "png")]
    found = results([taken(rate, 15) for rate in (150.0, 165.0, 180.0)])
    plot.draw(found, ALLOCATORS, targets)
    return [target.read_bytes() for target in targets]


def test_a_picture_knows_no_clock_and_no_chance(tmp_path: Path) -> None:
    """It can be kept beside the document, and a new one differs where its figures do."""
    vector, pixels = drawn(tmp_path / "one")

    assert [vector, pixels] == drawn(tmp_path / "two")
    assert vector.startswith(b"<?xml")
    assert pixels.startswith(b"\x89PNG")
