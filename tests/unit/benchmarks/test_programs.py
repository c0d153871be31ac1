"""`programs`: what a workload prints on one allocator, it must print on each."""

from __future__ import annotations

import pytest

from benchmarks import programs
from pipeline.model.errors import SmokeError


def test_the_same_result_is_good() -> None:
    """Nothing is said."""
    programs.hold("small", "jemalloc", "cafe\n", "cafe\n")


@pytest.mark.parametrize("output", ["beef\n", ""])
def test_another_result_is_refused(output: str) -> None:
    """What was measured then is not the same work."""
    with pytest.raises(SmokeError) as caught:
        programs.hold("small", "jemalloc", output, "cafe\n")

    assert ("cafe", output.strip() or "no output") == (caught.value.expected, caught.value.got)


def test_no_result_at_all_is_refused() -> None:
    """A program that prints nothing cannot be held to anything."""
    with pytest.raises(SmokeError, match="another result"):
        programs.hold("small", "jemalloc", "", "")
