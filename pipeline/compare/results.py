"""What the rounds came to: spreads, ratios within a round, and what is no more than noise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.compare import statistics
from pipeline.compare.allocators import C_LIBRARY, CONTROL
from pipeline.compare.measurement import Taken
from pipeline.compare.settings import Load
from pipeline.compare.statistics import Spread

# A measure of one round.
Measure = Callable[[Taken], float]

NOISE, MORE, LESS = "noise", "more", "less"

# With fewer, chance alone would often have all rounds on one side.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Results:
    """All rounds: by load and allocator, in their order, what each round came to."""

    loads: tuple[Load, ...]
    allocators: tuple[str, ...]
    taken: Mapping[tuple[str, str], Sequence[Taken]]

    def values(self, load: str, allocator: str, measure: Measure) -> list[float]:
        """A measure, round by round."""
        return [measure(each) for each in self.taken[load, allocator]]

    def spread(self, load: str, allocator: str, measure: Measure) -> Spread:
        """A measure's least, middle and most."""
        return statistics.spread(self.values(load, allocator, measure))

    def ratios(self, load: str, allocator: str, measure: Measure) -> list[float]:
        """A measure of what it is on the C library's allocator in the same round."""
        reference = self.values(load, C_LIBRARY, measure)
        return statistics.ratios(self.values(load, allocator, measure), reference)

    def verdict(self, load: str, allocator: str, measure: Measure) -> str:
        """Whether a measure is more or less than on the C library's allocator, or all is noise."""
        return verdict(self.ratios(load, allocator, measure), self.ratios(load, CONTROL, measure))


def verdict(ratios: Sequence[float], control: Sequence[float]) -> str:
    """More or less, where every round is beyond all that the same thing twice differs by."""
    if len(ratios) < FEWEST:
        return NOISE
    if min(ratios) > max(1.0, *control):
        return MORE
    return LESS if max(ratios) < min(1.0, *control) else NOISE
