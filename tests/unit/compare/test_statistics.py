"""`figures`: what several rounds come to, and ratios within a round."""

from __future__ import annotations

import pytest

from pipeline.compare import statistics
from pipeline.compare.statistics import Spread


def test_a_spread_is_least_median_and_most() -> None:
    """The median, because one busy moment must not move it."""
    assert Spread(1.0, 2.0, 90.0) == statistics.spread([2.0, 90.0, 1.0])


def test_a_spread_shows_how_far_the_rounds_went() -> None:
    """The middle first, which is what one reads."""
    assert "0.97 (0.90..1.11)" == Spread(0.9, 0.974, 1.11).text()


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which all took twice as long changes nothing."""
    assert [0.5, 0.5] == statistics.ratios([1.0, 2.0], [2.0, 4.0])


def test_everybody_has_a_turn_in_every_round() -> None:
    """In another order each time, so that nobody always follows the same one."""
    rounds = [statistics.turns("abcd", number) for number in range(5)]

    assert all(list("abcd") == sorted(each) for each in rounds)
    assert rounds == [statistics.turns("abcd", number) for number in range(5)]
    assert len(set(map(tuple, rounds))) > 1


def test_rounds_without_their_reference_are_no_ratios() -> None:
    """A missing round would shift all that follow."""
    with pytest.raises(ValueError, match="shorter"):
        statistics.ratios([1.0, 2.0], [2.0])


def test_half_and_double_cancel_out() -> None:
    """The mean of ratios must not depend on what is divided by what."""
    assert [pytest.approx(1.0)] == statistics.mean([[0.5], [2.0]])
