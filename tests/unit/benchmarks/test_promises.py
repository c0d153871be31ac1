"""`promises`, `promises_page`: docs/library.md says what was measured of what is packaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import promises, promises_page, settings
from benchmarks.settings import Promise
from pipeline.config import load
from pipeline.model.errors import CompareError

ROOT = Path(__file__).resolve().parents[3]
PROMISES = settings.load().promise
DOCUMENT: dict[str, Any] = json.loads((ROOT / promises_page.DATA).read_text())
RELEASES = DOCUMENT["releases"]
RECIPES = {version: load.recipe(ROOT, version) for version in load.versions(ROOT)}


def test_the_page_is_that_of_the_data() -> None:
    """And of the reasons in the recipes."""
    page = (ROOT / promises_page.PAGE).read_text()

    assert promises_page.text(ROOT, PROMISES) == page, "write it anew: python -m benchmarks page"


def test_every_release_was_measured_with_its_patches() -> None:
    """By their names: a new release or patch, or one that is gone, needs a new measurement."""
    pinned = {version: promises_page.patches(ROOT, recipe) for version, recipe in RECIPES.items()}

    measured = {version: release["patches"] for version, release in RELEASES.items()}
    assert pinned == measured, "measure again: nox -s library"


def test_what_is_not_kept_is_accepted_by_the_recipe() -> None:
    """With a reason, which the page shows; all else holds, and all programs run."""
    for version, recipe in RECIPES.items():
        accepted = {item.rule for item in recipe.accepted if not item.flavor}
        kept_not = promises_page.failed(RELEASES[version]["after"])

        assert accepted == kept_not, f"{version}: correct it, then measure again: nox -s library"


def test_nothing_that_was_tried_is_left_out() -> None:
    """Each trial and rule shows a promise, and each promise is shown by some."""
    shown = {name for promise in PROMISES for name in promise.shown_by}
    sides = [release[side] for release in RELEASES.values() for side in ("before", "after")]

    for side in sides:
        assert set(side["counts"]) | promises_page.failed(side) <= shown
        assert not [promise for promise in PROMISES if not promise.shown_by]
    trials = {"aligned", "archive", "object", "forks", "plugin", "reclaimer", "sparse", "programs"}
    assert shown == set(sides[0]["counts"]) | trials


@pytest.mark.parametrize("name", ["malloc", "free"])
def test_the_fast_path_is_as_it_was(name: str) -> None:
    """No patch changes an instruction of it; where it is and what it calls may lie elsewhere."""
    for version, release in RELEASES.items():
        before, after = (release[side]["code"][name] for side in ("before", "after"))

        assert before == after, version


def test_a_promise_that_is_not_kept_has_the_number_of_its_reason() -> None:
    """One that upstream does not keep is `patched`."""
    good: dict[str, Any] = {"failed": [], "programs": {}}
    before = {"failed": ["forks", "conformance: huge-alignment"], "programs": {"sed": ["sed"]}}
    after = {"failed": ["conformance: huge-alignment"], "programs": {}}
    releases = {
        "2.0.6": {"before": before, "after": after},
        "3.4.3": {"before": good, "after": good},
    }
    names = ("forks", "huge-alignment", "programs", "plugin")

    rows = promises_page.promise_rows(releases, [Promise(name, (name,)) for name in names], RECIPES)

    cells = {row[0]: row[1:] for row in rows}
    assert ["patched", "yes"] == cells["forks"] == cells["programs"]
    assert ["no (1)", "yes"] == cells["huge-alignment"]
    assert ["yes", "yes"] == cells["plugin"]


def test_counts_are_those_of_the_variant_with_most_violations() -> None:
    """Not those of a variant that does not run."""
    output = "preloaded: x\ncalls 9 violations 0\narchive, object: y\ncalls 8 violations 3"

    assert (8, 3) == promises.counts(output)
    assert (0, 0) == promises.counts("preloaded: not tried")


@pytest.mark.parametrize(
    "output",
    ["sparse: peak MiB 17 at the end 3", "reclaimer: live MiB 64 peak 17 at the end 3"],
)
def test_the_peak_is_read(output: str) -> None:
    """Of both probes of memory."""
    assert 17 == promises.peak(output)


def test_a_probe_that_was_ended_has_no_peak() -> None:
    """It is no zero."""
    with pytest.raises(CompareError, match="did not come to its end"):
        promises.peak("exit code -9")
