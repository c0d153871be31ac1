"""`listing`: tables, what is more than noise, and the JSON document."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.compare import listing
from pipeline.compare.allocators import Allocator
from pipeline.compare.listing import table
from pipeline.compare.statistics import C_LIBRARY, CONTROL
from tests.unit.compare.rounds import LOAD, OURS, SETTINGS, results


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Names to the left, numbers to the right."""
    rows = [["name", "ratio"], ["a", "0.50"], ["glibc", "1.00"]]

    assert ["name   ratio", "a       0.50", "glibc   1.00"] == table(rows)
    assert [
        "| name  | ratio |",
        "| ----- | ----: |",
        "| a     |  0.50 |",
        "| glibc |  1.00 |",
    ] == table(rows, markdown=True)


def test_differences_and_noise_are_listed() -> None:
    """Each measure is in one or the other, and the C library's is not compared with itself."""
    lines = list(listing.lines(results(broken=2), SETTINGS))

    assert (
        f"{OURS}, of {C_LIBRARY}: requests a second more (1.50); RSS at the most larger (1.50); "
        "RSS at rest larger (1.50); within noise: p99"
    ) in lines
    assert [] == [line for line in lines if line.startswith(f"{CONTROL}, of")]
    assert f"connections that failed: {C_LIBRARY} 6" in lines


def test_less_has_words_of_its_own() -> None:
    """A smaller ratio is not called more."""
    lines = list(listing.lines(results([50.0, 55.0, 60.0], mib=5), SETTINGS))

    assert (
        f"{OURS}, of {C_LIBRARY}: requests a second fewer (0.50); RSS at the most smaller (0.50); "
        "RSS at rest smaller (0.50); within noise: p99"
    ) in lines


def test_listing_has_a_line_for_each_allocator() -> None:
    """A spread where there is one, one number where there is none."""
    lines = list(listing.lines(results(), SETTINGS))
    speed, sizes = [line for line in lines if line.startswith(OURS)][:2]

    assert f"{LOAD.name}: {LOAD.title}; {LOAD.connections} connections" in lines
    assert "165 (150..180)" in speed
    assert [*["30"] * 3, *["15.0"] * 3, *["7.5"] * 3] == sizes.split()[2:]


def test_columns_keep_their_headings() -> None:
    """Who reads the listing by a script relies on them."""
    lines = list(listing.lines(results(), SETTINGS))
    headings = [line.split(maxsplit=1)[1] for line in lines if line.startswith("ALLOCATOR")]

    moments = ("START", "PEAK", "IDLE")
    sizes = [f"{size} {moment}" for size in ("VSZ", "RSS", "PSS") for moment in moments]
    assert ["REQ/S P50 MS P99 MS".split(), " ".join(sizes).split()] == [
        heading.split() for heading in headings[:2]
    ]


def test_one_round_shows_no_difference() -> None:
    """Whatever its numbers are."""
    lines = list(listing.lines(results([1000.0], mib=1), SETTINGS))

    within = "requests a second, p99, RSS at the most, RSS at rest"
    assert f"{OURS}, of {C_LIBRARY}: within noise: {within}" in lines


def test_document_has_every_round_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    """Whoever reads it can work out anything else."""
    library = tmp_path / "libmimalloc.so.3"
    library.write_text("")
    allocators = [Allocator(OURS, library, env={"A": "1"})]
    text = listing.document(results(), SETTINGS, allocators, ["a machine"])
    document = json.loads(text)

    assert str(tmp_path) not in text
    assert ["machine", "settings", "allocators", "results"] == list(document)
    assert ["a machine"] == document["machine"]
    assert 3 == len(document["results"][0]["rounds"])
    assert {"name": OURS, "library": "libmimalloc.so.3", "variables": {"A": "1"}} == (
        document["allocators"][0]
    )


def test_document_has_the_keys_of_the_published_one(project: Path) -> None:
    """docs/nginx.json was written by an older state of the project; its readers stay."""
    published = json.loads((project / "docs" / "nginx.json").read_text())
    document = json.loads(listing.document(results(), SETTINGS, [Allocator(OURS)], [""]))

    def keys(value: object) -> object:
        if isinstance(value, dict):
            return {name: keys(item) for name, item in value.items() if name != "variables"}
        return keys(value[0]) if isinstance(value, list) and value else None

    assert keys(published) == keys(document)
