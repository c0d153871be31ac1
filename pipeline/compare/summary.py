"""The results in one table: the memory of a worker under each load, and the processor time."""

import statistics

from pipeline.compare.nginx import Measurement
from pipeline.compare.results import (
    CPU,
    FAULTS,
    RSS_IDLE,
    RSS_PEAK,
    RSS_START,
    Column,
    Results,
    spread,
    table,
)


def lines(results: Results[Measurement]) -> list[str]:
    """A row for each allocator, as Markdown; medians of all rounds.

    CPU and page faults are those of an answer: CPU as the median of all loads and rounds, each
    divided by that of the C library's allocator in the same round; page faults load by load.
    """
    heads = [f"{case}: most, rest" for case in results.cases]
    rows = [["RSS in MiB", "start", *heads, "CPU", "page faults"]]
    for name in results.subjects:
        start = min(_median(results, case, name, RSS_START) for case in results.cases)
        sizes = [
            ", ".join(f"{_median(results, case, name, of):.1f}" for of in (RSS_PEAK, RSS_IDLE))
            for case in results.cases
        ]
        ratios = [ratio for case in results.cases for ratio in results.ratios(case, name, CPU)]
        faults = ", ".join(f"{_median(results, case, name, FAULTS):.0f}" for case in results.cases)
        rows.append([name, f"{start:.1f}", *sizes, f"{statistics.median(ratios):.2f}", faults])
    return table(rows, markdown=True)


def _median(results: Results[Measurement], case: str, name: str, column: Column) -> float:
    return spread(results.values(case, name, column)).median
