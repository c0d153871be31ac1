"""`statistics`: several rounds, ratios within a round, and what is more than noise."""

import pytest

from pipeline.compare import statistics
from pipeline.compare.statistics import Results, Spread, differs
from tests.unit.compare.rounds import LOAD, OURS, results


def test_a_spread_is_least_median_and_most() -> None:
    """The median, because one busy moment must not move it."""
    assert Spread(1.0, 2.0, 90.0) == statistics.spread([2.0, 90.0, 1.0])


def test_a_spread_shows_the_range_of_the_rounds() -> None:
    """The median first."""
    assert "0.97 (0.90..1.11)" == Spread(0.9, 0.974, 1.11).text()


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which all took longer changes nothing."""
    assert [1.5, 1.5, 1.5] == results().ratios(LOAD.name, OURS, lambda item: item.answers.rate)


def test_rounds_without_their_reference_are_no_ratios() -> None:
    """A missing round would shift all that follow."""
    rounds = {("load", "a"): [1.0, 2.0], ("load", "b"): [2.0]}
    with pytest.raises(ValueError, match="shorter"):
        Results(["load"], ["a", "b"], rounds).ratios("load", "a", float, "b")


def test_each_round_has_all_subjects_in_another_order() -> None:
    """So that none always runs after the same one; and the same order in every run."""
    planned = list(statistics.schedule(5, ["x", "y"], "abcd"))
    rounds = [
        [subject for number, case, subject in planned if (number, case) == (wanted, "x")]
        for wanted in range(5)
    ]

    assert all(list("abcd") == sorted(subjects) for subjects in rounds)
    assert len(set(map(tuple, rounds))) > 1
    assert planned == list(statistics.schedule(5, ["x", "y"], "abcd"))
    assert [0] * 8 + [1] * 8 == [number for number, _, _ in planned][:16]


@pytest.mark.parametrize(
    ("ratios", "control", "expected"),
    [
        ([1.1, 1.2, 1.3], [0.99, 1.0, 1.01], True),
        ([0.8, 0.9, 0.7], [0.99, 1.0, 1.01], True),
        ([0.9, 1.1, 1.2], [0.99, 1.0, 1.01], False),
        ([1.1, 1.2, 1.3], [0.9, 1.0, 1.15], False),
        ([0.8, 0.9, 0.7], [0.85, 1.0, 1.01], False),
        ([1.01, 1.02, 1.03], [1.1, 1.1, 1.1], False),
        ([1.1, 1.2], [1.0, 1.0], False),
    ],
)
def test_a_difference_is_one_that_every_round_shows(
    ratios: list[float], control: list[float], expected: bool
) -> None:
    """And that is larger than the difference of an allocator from itself."""
    assert expected is differs(ratios, control)
