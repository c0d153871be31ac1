"""`columns`: tables for terminals and documents."""

from __future__ import annotations

from benchmarks.columns import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Names to the left, numbers to the right, and Markdown all the same."""
    assert [
        "| name  | ratio |",
        "| ----- | ----: |",
        "| a     |  0.50 |",
        "| glibc |  1.00 |",
    ] == list(table(["name", "ratio"], [["a", "0.50"], ["glibc", "1.00"]]))
