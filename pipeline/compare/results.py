"""The results: rounds, their spread, what is more than noise; as aligned columns and as JSON."""

import json
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Generic, TypeVar

from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.nginx import Measurement
from pipeline.compare.settings import Load, Settings

Case = TypeVar("Case")
Subject = TypeVar("Subject")
Round = TypeVar("Round")

# A number of a measurement.
Measure = Callable[[Round], float]

# With fewer rounds, chance alone would often have all of them on one side.
MINIMUM_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the median and the most of all rounds."""

    low: float
    median: float
    high: float

    def text(self, digits: int = 2) -> str:
        """The median, and the range of the rounds; one number where all rounds show the same."""
        low, median, high = (f"{n:.{digits}f}" for n in (self.low, self.median, self.high))
        return low if low == high else f"{median} ({low}..{high})"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(min(values), statistics.median(values), max(values))


@dataclass(frozen=True, slots=True)
class Results(Generic[Round]):
    """Measurements by case (a load, a program) and subject (an allocator), one for each round.

    ``counted`` are the instructions for a request; they take no rounds.
    """

    cases: Sequence[str]
    subjects: Sequence[str]
    rounds: Mapping[tuple[str, str], Sequence[Round]]
    counted: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def values(self, case: str, subject: str, measure: Measure[Round]) -> list[float]:
        """A measure, round by round."""
        return [measure(measurement) for measurement in self.rounds[case, subject]]

    def ratios(
        self, case: str, subject: str, measure: Measure[Round], base: str = C_LIBRARY
    ) -> list[float]:
        """A measure, divided by what it is on the subject ``base`` in the same round."""
        values, divisors = (self.values(case, name, measure) for name in (subject, base))
        return [value / divisor for value, divisor in zip(values, divisors, strict=True)]

    def differs(self, case: str, subject: str, measure: Measure[Round]) -> bool:
        """Whether each round differs from that of the C library's allocator by more than noise.

        All in one direction, and by more than the control ever does.
        """
        ratios, control = (self.ratios(case, name, measure) for name in (subject, CONTROL))
        if len(ratios) < MINIMUM_ROUNDS:
            return False
        return min(ratios) > max(1.0, *control) or max(ratios) < min(1.0, *control)


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


@dataclass(frozen=True, slots=True)
class Column:
    """A measure of a listing: its heading, its attribute, how it is shown.

    ``label`` names it in verdicts, where ``more`` and ``less`` are the words for a difference.
    """

    heading: str
    attribute: str
    digits: int
    unit: int = 1
    label: str = ""
    more: str = "larger"
    less: str = "smaller"

    def __call__(self, measurement: Measurement) -> float:
        """The measure itself."""
        return float(attrgetter(self.attribute)(measurement)) / self.unit


RATE = Column("REQ/S", "answers.rate", 0, 1, "requests a second", "more", "fewer")
P99 = Column("P99 MS", "answers.p99", 2, 1, "p99", "later", "sooner")
CPU = Column("CPU US", "cpu", 0, 1, "CPU", "more", "less")
RSS_START = Column("RSS START", "start.rss", 1, 1024, "RSS at start")
RSS_PEAK = Column("RSS PEAK", "peak.rss", 1, 1024, "RSS at the most")
RSS_IDLE = Column("RSS IDLE", "idle.rss", 1, 1024, "RSS at rest")

FAULTS = Column("FAULTS", "faults", 1)
SPEED = (CPU, FAULTS, RATE, Column("P50 MS", "answers.p50", 2), P99)

# Of the largest worker, in MiB; measured in KiB.
SIZES = (
    *(Column(f"VSZ {at}", f"{at.lower()}.vsz", 0, 1024) for at in ("START", "PEAK", "IDLE")),
    *(RSS_START, RSS_PEAK, RSS_IDLE),
    *(Column(f"PSS {at}", f"{at.lower()}.pss", 1, 1024) for at in ("START", "PEAK", "IDLE")),
)


def lines(results: Results[Measurement], settings: Settings) -> Iterator[str]:
    """For each load a listing of speed, one of sizes, and what of it is more than noise."""
    rounds = f"{settings.rounds} round{'s' if settings.rounds > 1 else ''} of {settings.seconds} s"
    yield f"Shown are the median and, in brackets, the least and the most of {rounds}."
    yield "For a request: CPU is the processor time of nginx, user and system, in microseconds;"
    yield "INSTRUCTIONS are thousands in user space, by callgrind; FAULTS are page faults."
    yield "Sizes are those of the largest worker, in MiB: before the load, at most, and at rest."
    if settings.rounds < MINIMUM_ROUNDS:
        yield f"With fewer than {MINIMUM_ROUNDS} rounds every difference counts as noise."
    for load in settings.load:
        yield from ("", f"{load.name}: {load.title}; {load.connections} connections")
        for columns in (SPEED, SIZES):
            rows = [["ALLOCATOR", *(column.heading for column in columns)]]
            for name in results.subjects:
                cells = (
                    spread(results.values(load.name, name, column)).text(column.digits)
                    for column in columns
                )
                rows.append([name, *cells])
            if columns is SPEED:
                counts = (results.counted.get((load.name, name)) for name in results.subjects)
                texts = (f"{count / 1000:.0f}" if count else "-" for count in counts)
                for row, text in zip(rows, ["INSTRUCTIONS", *texts], strict=True):
                    row.insert(2, text)
            yield from table(rows)
        yield from _verdicts(results, load)


def table(rows: Sequence[Sequence[str]], *, markdown: bool = False) -> list[str]:
    """Aligned rows, the heading first: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    if not markdown:
        return ["  ".join(row) for row in aligned]
    aligned.insert(1, ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])])
    return [f"| {' | '.join(row)} |" for row in aligned]


def _verdicts(results: Results[Measurement], load: Load) -> Iterator[str]:
    """What is more or less than on the C library's allocator in every round, and what is noise."""
    for name in results.subjects:
        if name in (C_LIBRARY, CONTROL):
            continue
        differences, noise = list[str](), list[str]()
        for column in (CPU, RATE, P99, RSS_START, RSS_PEAK, RSS_IDLE):
            if results.differs(load.name, name, column):
                ratio = spread(results.ratios(load.name, name, column)).median
                word = column.more if ratio > 1 else column.less
                differences.append(f"{column.label} {word} ({ratio:.2f})")
            else:
                noise.append(column.label)
        if noise:
            differences.append(f"within noise: {', '.join(noise)}")
        yield f"{name}, of {C_LIBRARY}: {'; '.join(differences)}"
    for name in results.subjects:
        if count := sum(results.values(load.name, name, attrgetter("answers.broken"))):
            yield f"connections that failed: {name} {count}"


def document(
    results: Results[Measurement],
    settings: Settings,
    allocators: Sequence[Allocator],
    host: Sequence[str],
) -> str:
    """Everything as JSON: the host, the settings, and every round.

    A library is named by its file only: the document does not tell where it is on this host.
    """
    content = {
        "machine": list(host),
        "settings": asdict(settings),
        "allocators": [
            {
                "name": allocator.name,
                "library": allocator.library.resolve().name if allocator.library else "libc.so.6",
                "variables": dict(allocator.env),
            }
            for allocator in allocators
        ],
        "results": [
            {
                "load": load,
                "allocator": name,
                "instructions": results.counted.get((load, name)),
                "rounds": [asdict(item) for item in measurements],
            }
            for (load, name), measurements in results.rounds.items()
        ],
    }
    return json.dumps(content, indent=1) + "\n"
