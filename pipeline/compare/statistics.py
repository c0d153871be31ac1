"""Rounds, their spread, ratios within a round, and which differences are more than noise."""

import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Case = TypeVar("Case")
Subject = TypeVar("Subject")
Measurement = TypeVar("Measurement")

# A number of a measurement.
Measure = Callable[[Measurement], float]

C_LIBRARY = "glibc"

# The C library's allocator a second time: what differs between it and the first is noise.
CONTROL = "glibc again"

# With fewer rounds, chance alone would often have all of them on one side.
MINIMUM_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the median and the most of all rounds."""

    low: float
    median: float
    high: float

    def text(self, digits: int = 2) -> str:
        """The median, and the range of the rounds."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}..{self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(min(values), statistics.median(values), max(values))


def differs(ratios: Sequence[float], control: Sequence[float]) -> bool:
    """Whether each round differs from 1, in one direction, by more than the control ever does."""
    if len(ratios) < MINIMUM_ROUNDS:
        return False
    return min(ratios) > max(1.0, *control) or max(ratios) < min(1.0, *control)


@dataclass(frozen=True, slots=True)
class Results(Generic[Measurement]):
    """Measurements by case (a load, a program) and subject (an allocator), one for each round."""

    cases: Sequence[str]
    subjects: Sequence[str]
    rounds: Mapping[tuple[str, str], Sequence[Measurement]]

    def values(self, case: str, subject: str, measure: Measure[Measurement]) -> list[float]:
        """A measure, round by round."""
        return [measure(measurement) for measurement in self.rounds[case, subject]]

    def ratios(
        self, case: str, subject: str, measure: Measure[Measurement], base: str = C_LIBRARY
    ) -> list[float]:
        """A measure, divided by what it is on the subject ``base`` in the same round."""
        pairs = zip(
            self.values(case, subject, measure), self.values(case, base, measure), strict=True
        )
        return [value / divisor for value, divisor in pairs]

    def differs(self, case: str, subject: str, measure: Measure[Measurement]) -> bool:
        """Whether a measure is not what it is on the C library's allocator: more than noise."""
        control = self.ratios(case, CONTROL, measure)
        return differs(self.ratios(case, subject, measure), control)


def schedule(
    rounds: int, cases: Iterable[Case], subjects: Iterable[Subject]
) -> Iterator[tuple[int, Case, Subject]]:
    """Each subject on each case, once a round; the order of subjects differs between rounds.

    The order matters: a kernel that has just given out small pages takes long to find large ones,
    and the first program that wants them pays for all. It is the same in every run.
    """
    cases, subjects = list(cases), list(subjects)
    for number in range(rounds):
        for case in cases:
            for subject in random.Random(number).sample(subjects, len(subjects)):
                yield number, case, subject
