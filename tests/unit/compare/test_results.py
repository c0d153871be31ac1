"""`results`: spreads, ratios within a round, what is more than noise; the listing and the JSON."""

import json
from pathlib import Path

import pytest

from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.results import Results, Spread, document, lines, schedule, spread, table
from tests.unit.compare.rounds import LOAD, OURS, SETTINGS, results


def test_a_spread_is_least_median_and_most() -> None:
    """The median, because one busy moment must not move it."""
    assert Spread(1.0, 2.0, 90.0) == spread([2.0, 90.0, 1.0])


def test_a_spread_shows_the_range_of_the_rounds() -> None:
    """The median first; one number where all are the same as it is shown."""
    assert "0.97 (0.90..1.11)" == Spread(0.9, 0.974, 1.11).text()
    assert "1.00" == Spread(0.999, 1.0, 1.001).text()


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which all took longer changes nothing."""
    assert [1.5, 1.5, 1.5] == results().ratios(LOAD.name, OURS, lambda item: item.answers.rate)


def test_rounds_without_their_reference_are_no_ratios() -> None:
    """A missing round would shift all that follow."""
    rounds = {("load", "a"): [1.0, 2.0], ("load", "b"): [2.0]}
    with pytest.raises(ValueError, match="shorter"):
        Results(["load"], ["a", "b"], rounds).ratios("load", "a", float, "b")


def test_each_round_has_all_subjects_in_another_order() -> None:
    """So that none always runs after the same one; and the same order in every run."""
    planned = list(schedule(5, ["x", "y"], "abcd"))
    rounds = [
        [subject for number, case, subject in planned if (number, case) == (wanted, "x")]
        for wanted in range(5)
    ]

    assert all(list("abcd") == sorted(subjects) for subjects in rounds)
    assert len(set(map(tuple, rounds))) > 1
    assert planned == list(schedule(5, ["x", "y"], "abcd"))
    assert [0] * 8 + [1] * 8 == [number for number, _, _ in planned][:16]


@pytest.mark.parametrize(
    ("ratios", "control", "expected"),
    [
        ([1.1, 1.2, 1.3], [0.99, 1.0, 1.01], True),
        ([0.8, 0.9, 0.7], [0.99, 1.0, 1.01], True),
        ([0.9, 1.1, 1.2], [0.99, 1.0, 1.01], False),
        ([1.1, 1.2, 1.3], [0.9, 1.0, 1.15], False),
        ([0.8, 0.9, 0.7], [0.85, 1.0, 1.01], False),
        ([1.01, 1.02, 1.03], [1.1, 1.1, 1.1], False),
        ([1.1, 1.2], [1.0, 1.0], False),
    ],
)
def test_a_difference_is_one_that_every_round_shows(
    ratios: list[float], control: list[float], expected: bool
) -> None:
    """And that is larger than the difference of an allocator from itself."""
    rounds = {
        ("load", C_LIBRARY): [1.0] * len(ratios),
        ("load", CONTROL): control,
        ("load", "ours"): ratios,
    }
    assert expected is Results(["load"], ["ours"], rounds).differs("load", "ours", float)


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
    shown = list(lines(results(broken=2), SETTINGS))

    assert (
        f"{OURS}, of {C_LIBRARY}: requests a second more (1.50); RSS at start larger (1.50); "
        "RSS at the most larger (1.50); RSS at rest larger (1.50); within noise: CPU, p99"
    ) in shown
    assert [] == [line for line in shown if line.startswith(f"{CONTROL}, of")]
    assert f"connections that failed: {C_LIBRARY} 6" in shown


def test_less_has_words_of_its_own() -> None:
    """A smaller ratio is not called more."""
    shown = list(lines(results([50.0, 55.0, 60.0], mib=5), SETTINGS))

    assert (
        f"{OURS}, of {C_LIBRARY}: requests a second fewer (0.50); RSS at start smaller (0.50); "
        "RSS at the most smaller (0.50); RSS at rest smaller (0.50); within noise: CPU, p99"
    ) in shown


def test_listing_has_a_line_for_each_allocator() -> None:
    """A spread where there is one, one number where there is none."""
    shown = list(lines(results(), SETTINGS))
    speed, sizes = [line for line in shown if line.startswith(OURS)][:2]

    assert f"{LOAD.name}: {LOAD.title}; {LOAD.connections} connections" in shown
    assert "165 (150..180)" in speed
    assert [*["30"] * 3, *["15.0"] * 3, *["7.5"] * 3] == sizes.split()[2:]


def test_instructions_are_thousands() -> None:
    """They have no rounds; a dash where none are counted."""
    shown = list(lines(results(), SETTINGS))
    start = shown.index(f"{LOAD.name}: {LOAD.title}; {LOAD.connections} connections") + 2

    assert ["2000", "-", "1900"] == [
        line.removeprefix(name).split()[1]
        for name, line in zip((C_LIBRARY, CONTROL, OURS), shown[start:], strict=False)
    ]


def test_columns_keep_their_headings() -> None:
    """Who reads the listing by a script relies on them."""
    shown = list(lines(results(), SETTINGS))
    headings = [line.split(maxsplit=1)[1] for line in shown if line.startswith("ALLOCATOR")]

    moments = ("START", "PEAK", "IDLE")
    sizes = [f"{size} {moment}" for size in ("VSZ", "RSS", "PSS") for moment in moments]
    assert ["CPU US INSTRUCTIONS FAULTS REQ/S P50 MS P99 MS".split(), " ".join(sizes).split()] == [
        heading.split() for heading in headings[:2]
    ]


def test_one_round_shows_no_difference() -> None:
    """Whatever its numbers are."""
    shown = list(lines(results([1000.0], mib=1), SETTINGS))

    within = "CPU, requests a second, p99, RSS at start, RSS at the most, RSS at rest"
    assert f"{OURS}, of {C_LIBRARY}: within noise: {within}" in shown


def test_document_has_every_round_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    """Whoever reads it can work out anything else."""
    library = tmp_path / "libmimalloc.so.3"
    library.write_text("")
    allocators = [Allocator(OURS, library, env={"A": "1"})]
    text = document(results(), SETTINGS, allocators, ["a machine"])
    content = json.loads(text)

    assert str(tmp_path) not in text
    assert ["machine", "settings", "allocators", "results"] == list(content)
    assert ["a machine"] == content["machine"]
    assert 3 == len(content["results"][0]["rounds"])
    assert {"name": OURS, "library": "libmimalloc.so.3", "variables": {"A": "1"}} == (
        content["allocators"][0]
    )


def test_document_has_the_keys_of_the_published_one(project: Path) -> None:
    """docs/nginx.json was written by an older state of the project; its readers stay."""
    published = json.loads((project / "docs" / "nginx.json").read_text())
    content = json.loads(document(results(), SETTINGS, [Allocator(OURS)], [""]))

    def keys(value: object) -> object:
        if isinstance(value, dict):
            return {name: keys(item) for name, item in value.items() if name != "variables"}
        return keys(value[0]) if isinstance(value, list) and value else None

    assert keys(published) == keys(content)
