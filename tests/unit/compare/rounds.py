"""Results that tests share: three allocators under one load."""

from collections.abc import Sequence

from pipeline.compare.allocators import C_LIBRARY, CONTROL
from pipeline.compare.nginx import Answers, Measurement, Size
from pipeline.compare.results import Results
from pipeline.compare.settings import Request, requested
from pipeline.model import Selection

OURS = "mimalloc 3.4.3"
LOAD = requested(Request(Selection())).load[0]
SETTINGS = requested(Request(Selection(), loads=LOAD.name))


def measurement(rate: float, mib: int, broken: int = 0) -> Measurement:
    """One measurement; its sizes stay the same."""
    size = Size(mib * 2048, mib * 1024, mib * 512, mib * 1024)
    return Measurement(Answers(100, rate, 10.0, 20.0, 0, broken), 500.0, 2.5, size, size, size)


def results(
    rates: Sequence[float] = (150.0, 165.0, 180.0), mib: int = 15, broken: int = 0
) -> Results[Measurement]:
    """Rounds in which the C library's allocator differs from itself by at most 2 %."""
    reference = [100.0, 110.0, 120.0][: len(rates)]
    rounds = {
        (LOAD.name, C_LIBRARY): [measurement(rate, 10, broken) for rate in reference],
        (LOAD.name, CONTROL): [measurement(rate * 1.02, 10) for rate in reference],
        (LOAD.name, OURS): [measurement(rate, mib) for rate in rates],
    }
    counted = {(LOAD.name, C_LIBRARY): 2_000_400.0, (LOAD.name, OURS): 1_900_000.0}
    return Results([LOAD.name], [C_LIBRARY, CONTROL, OURS], rounds, counted)
