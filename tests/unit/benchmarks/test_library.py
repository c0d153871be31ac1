"""`library`: ratios in a table, and one work on all allocators."""

from pathlib import Path

import pytest

from benchmarks import library
from benchmarks.library import Setup
from benchmarks.programs import Program
from pipeline.compare.allocators import C_LIBRARY, Allocator
from pipeline.compare.results import Results
from pipeline.model.errors import CompareError

SETUP = Setup(
    [Allocator(C_LIBRARY), Allocator("x", Path("/x"))],
    [Program("one", (), (), {}), Program("two", (), (), {})],
    Path(),
    Path(),
)


def test_half_and_double_cancel_out() -> None:
    """The mean of ratios must not depend on what is divided by what."""
    rounds = {("one", "a"): [1.0], ("one", "b"): [2.0], ("two", "a"): [2.0], ("two", "b"): [1.0]}
    results = Results(["one", "two"], ["a", "b"], rounds)

    row = library.ratios("allocator", results, float, [("b", "a")])[-1]
    assert "| b         | 2.000 | 0.500 | 1.000 |" == row


def test_every_program_is_measured_on_every_allocator() -> None:
    """Once a round."""
    results = library.measure(SETUP, 2, lambda program, allocator: (1.0, program.name), 2)

    keys = {(program.name, item.name) for program in SETUP.programs for item in SETUP.allocators}
    assert keys == set(results.rounds)
    assert {(1.0, 1.0)} == {tuple(numbers) for numbers in results.rounds.values()}


def test_another_result_on_one_allocator_is_refused() -> None:
    """The times of different work are no comparison."""
    with pytest.raises(CompareError, match="one has another result on x"):
        library.measure(SETUP, 1, lambda program, allocator: (1.0, allocator.name), 1)
