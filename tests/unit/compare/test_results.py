"""`results` and `tell`: what is noise, what is more, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.compare import listing, settings
from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.measurement import Answers, Taken
from pipeline.compare.nginx import Size
from pipeline.compare.results import LESS, MORE, NOISE, Results, verdict

OURS = "mimalloc 3.4.3"
CHOSEN = settings.load()
LOAD = CHOSEN.load[0]


def taken(rate: float, mib: int, broken: int = 0) -> Taken:
    """One measurement."""
    size = Size(mib * 2048, mib * 1024, mib * 512, mib * 1024)
    return Taken(Answers(rate, 10.0, 20.0, 0, broken), size, size, size)


def results(ours: list[Taken], broken: int = 0) -> Results:
    """Rounds in which the C library's differs from itself by 2 % at the most."""
    rates = [100.0, 110.0, 120.0][: len(ours)]
    first = [taken(rate, 10, broken) for rate in rates]
    second = [taken(rate * 1.02, 10) for rate in rates]
    names = (C_LIBRARY, CONTROL, OURS)
    rounds = dict(zip(((LOAD.name, name) for name in names), (first, second, ours), strict=True))
    return Results((LOAD,), names, rounds)


@pytest.mark.parametrize(
    ("ratios", "control", "expected"),
    [
        ([1.1, 1.2, 1.3], [0.99, 1.0, 1.01], MORE),
        ([0.8, 0.9, 0.7], [0.99, 1.0, 1.01], LESS),
        ([0.9, 1.1, 1.2], [0.99, 1.0, 1.01], NOISE),
        ([1.1, 1.2, 1.3], [0.9, 1.0, 1.15], NOISE),
        ([0.8, 0.9, 0.7], [0.85, 1.0, 1.01], NOISE),
        ([1.01, 1.02, 1.03], [1.1, 1.1, 1.1], NOISE),
        ([1.1, 1.2], [1.0, 1.0], NOISE),
    ],
)
def test_a_difference_is_one_that_every_round_shows(
    ratios: list[float], control: list[float], expected: str
) -> None:
    """And that is larger than what the same allocator differs by from itself."""
    assert expected == verdict(ratios, control)


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that grows faster meets all of them."""
    found = results([taken(rate, 15) for rate in (150.0, 165.0, 180.0)])

    assert [1.5, 1.5, 1.5] == found.ratios(LOAD.name, OURS, lambda each: each.answers.rate)


def test_differences_are_told_and_noise_is_told_as_noise() -> None:
    """Each measure is in one or the other, and the C library's is not held against itself."""
    found = results([taken(rate, 15) for rate in (150.0, 165.0, 180.0)], broken=2)
    lines = list(listing.lines(found, CHOSEN))

    assert (
        f"{OURS}, of {C_LIBRARY}: requests a second more (1.50); RSS at the most larger (1.50); "
        "RSS at rest larger (1.50); within noise: p99"
    ) in lines
    assert [] == [line for line in lines if line.startswith(f"{CONTROL}, of")]
    assert f"connections that failed: {C_LIBRARY} 6" in lines


def test_listing_has_a_line_for_each_allocator() -> None:
    """A spread where there is one, one figure where there is none."""
    found = results([taken(rate, 15) for rate in (150.0, 165.0, 180.0)])
    lines = [line for line in listing.lines(found, CHOSEN) if line.startswith(OURS)]

    assert "165 (150..180)" in lines[0]
    assert [OURS, *["30"] * 3, *["15.0"] * 3, *["7.5"] * 3] == [OURS, *lines[1].split()[2:]]


def test_one_round_tells_nothing() -> None:
    """Whatever it came to."""
    lines = list(listing.lines(results([taken(1000.0, 1)]), CHOSEN))

    assert f"{OURS}: 3 rounds are the fewest that tell a difference from noise" in lines


def test_document_has_every_round_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    """Who reads it can work out anything else."""
    library = tmp_path / "libmimalloc.so.3"
    library.write_text("")
    found = results([taken(rate, 15) for rate in (150.0, 165.0, 180.0)])
    text = listing.document(
        found, CHOSEN, [Allocator(OURS, library, env={"A": "1"})], ["a machine"]
    )
    document = json.loads(text)

    assert str(tmp_path) not in text
    assert ["a machine"] == document["machine"]
    assert 3 == len(document["results"][0]["rounds"])
    assert {"name": OURS, "library": "libmimalloc.so.3", "variables": {"A": "1"}} == (
        document["allocators"][0]
    )
