"""`counting`: what a file of callgrind's tells."""

from __future__ import annotations

from pathlib import Path

from benchmarks import counting

TOLD = """
ob=(1) /usr/bin/program
fn=(1) main
cob=(2) {library}
calls=2 0
totals: 2023
"""


def test_the_sum_is_read() -> None:
    """Nothing is added up: callgrind has."""
    assert 2023 == counting.total(TOLD)


def test_a_library_that_was_called_is_seen(tmp_path: Path) -> None:
    """By the name of the file itself, whatever link it was preloaded by."""
    link, file = tmp_path / "lib.so.2", tmp_path / "lib.so.2.0"
    file.touch()
    link.symlink_to(file.name)

    assert counting.executed(TOLD.format(library=file), link)


def test_a_library_that_was_never_called_is_missed(tmp_path: Path) -> None:
    """Then the count is that of another allocator."""
    assert not counting.executed(TOLD.format(library="/lib/libc.so.6"), tmp_path / "lib.so")
