"""The comparison for a reader: listings in the manner of ps, what is noise, and all as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.measurement import Taken
from pipeline.compare.results import FEWEST, LESS, MORE, NOISE, Measure, Results
from pipeline.compare.settings import Load, Settings
from pipeline.compare.statistics import Spread

_MIB = 1024

# Heading, measure, digits; sizes are those of the largest worker, in MiB.
SPEED: tuple[tuple[str, Measure, int], ...] = (
    ("REQ/S", lambda taken: taken.answers.rate, 0),
    ("P50 MS", lambda taken: taken.answers.p50, 2),
    ("P99 MS", lambda taken: taken.answers.p99, 2),
)
SIZES: tuple[tuple[str, Measure, int], ...] = (
    ("VSZ START", lambda taken: taken.start.vsz / _MIB, 0),
    ("VSZ PEAK", lambda taken: taken.peak.vsz / _MIB, 0),
    ("VSZ IDLE", lambda taken: taken.idle.vsz / _MIB, 0),
    ("RSS START", lambda taken: taken.start.rss / _MIB, 1),
    ("RSS PEAK", lambda taken: taken.peak.rss / _MIB, 1),
    ("RSS IDLE", lambda taken: taken.idle.rss / _MIB, 1),
    ("PSS START", lambda taken: taken.start.pss / _MIB, 1),
    ("PSS PEAK", lambda taken: taken.peak.pss / _MIB, 1),
    ("PSS IDLE", lambda taken: taken.idle.pss / _MIB, 1),
)

# What a verdict is told of, and in which words.
_JUDGED: tuple[tuple[str, Measure, Mapping[str, str]], ...] = (
    ("requests a second", SPEED[0][1], {MORE: "more", LESS: "fewer"}),
    ("p99", SPEED[2][1], {MORE: "later", LESS: "sooner"}),
    ("RSS at the most", SIZES[4][1], {MORE: "larger", LESS: "smaller"}),
    ("RSS at rest", SIZES[5][1], {MORE: "larger", LESS: "smaller"}),
)


def lines(results: Results, chosen: Settings) -> Iterator[str]:
    """A listing of speed and one of size for each load, and what of it is more than noise."""
    rounds = f"{chosen.rounds} round{'s' if chosen.rounds > 1 else ''} of {chosen.seconds} s"
    yield f"Shown are the median and, in brackets, the least and the most of {rounds}."
    yield "Sizes are those of the largest worker, in MiB: before the load, at most, and at rest."
    for load in results.loads:
        yield ""
        yield f"{load.name}: {load.title}; {load.connections} connections"
        yield from _listing(results, load, SPEED)
        yield from _listing(results, load, SIZES)
        yield from _verdicts(results, load)


def _listing(
    results: Results, load: Load, columns: Sequence[tuple[str, Measure, int]]
) -> Iterator[str]:
    rows = [["ALLOCATOR", *(heading for heading, _, _ in columns)]]
    for name in results.allocators:
        spreads = (
            (results.spread(load.name, name, measure), digits) for _, measure, digits in columns
        )
        rows.append([name, *(_cell(spread, digits) for spread, digits in spreads)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *cells])


def _cell(spread: Spread, digits: int) -> str:
    """The spread, or where it cannot be seen the one figure."""
    low, high = (f"{value:.{digits}f}" for value in (spread.low, spread.high))
    return low if low == high else spread.text(digits)


def _verdicts(results: Results, load: Load) -> Iterator[str]:
    """Beside the C library's: what is more or less in every round, and what cannot be told."""
    for name in results.allocators:
        if name in (C_LIBRARY, CONTROL):
            continue
        if len(results.taken[load.name, name]) < FEWEST:
            yield f"{name}: {FEWEST} rounds are the fewest that tell a difference from noise"
            continue
        told, noise = list[str](), list[str]()
        for what, measure, words in _JUDGED:
            found = results.verdict(load.name, name, measure)
            ratio = _middle(results.ratios(load.name, name, measure))
            if found == NOISE:
                noise.append(what)
            else:
                told.append(f"{what} {words[found]} ({ratio:.2f})")
        within = f"within noise: {', '.join(noise)}" if noise else ""
        yield f"{name}, of {C_LIBRARY}: {'; '.join(filter(None, [*told, within]))}"
    broken = {
        name: sum(taken.answers.broken for taken in results.taken[load.name, name])
        for name in results.allocators
    }
    if any(broken.values()):
        told = [f"{name} {count}" for name, count in broken.items() if count]
        yield f"connections that failed: {', '.join(told)}"


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return (ordered[half] + ordered[-half - 1]) / 2


def document(
    results: Results, chosen: Settings, allocators: Sequence[Allocator], machine: Sequence[str]
) -> str:
    """Everything as JSON: where it was measured, with what, and what each round came to."""
    rounds = [
        {"load": load, "allocator": name, "rounds": [asdict(taken) for taken in each]}
        for (load, name), each in results.taken.items()
    ]
    found = {
        "machine": list(machine),
        "settings": asdict(chosen),
        "allocators": [_told(each) for each in allocators],
        "results": rounds,
    }
    return json.dumps(found, indent=1) + "\n"


def _told(each: Allocator) -> dict[str, object]:
    """An allocator by its name, and not by where it lies on this machine."""
    library = each.library.resolve().name if each.library else "libc.so.6"
    return {"name": each.name, "library": library, "variables": dict(each.env)}


def ending(taken: Taken) -> str:
    """What one measurement came to, in a few words."""
    return f"{taken.answers.rate:8.0f} req/s  RSS {taken.peak.rss / _MIB:6.1f} MiB at the most"
