"""Rounds in which all take turns, their spread, and ratios within a round."""

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the middle and the most of what the rounds came to."""

    low: float
    middle: float
    high: float

    def text(self, digits: int = 2) -> str:
        """The middle, and how far the rounds went from it."""
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f}..{self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(min(values), statistics.median(values), max(values))


def ratios(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Each round's value by the same round's reference."""
    return [value / base for value, base in zip(values, reference, strict=True)]


def mean(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The geometric mean over programs, round by round: the one mean that ratios have."""
    return [statistics.geometric_mean(values) for values in zip(*rounds, strict=True)]


def turns(items: Iterable[Item], number: int) -> list[Item]:
    """The order in a round: another in each, and the same whenever it is measured.

    Who runs before one matters: a kernel that has just given out small pages takes long to find
    large ones, and so the first of those who ask for them pays for all.
    """
    order = list(items)
    random.Random(number).shuffle(order)
    return order
