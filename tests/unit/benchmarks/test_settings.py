"""`settings`: benchmarks.toml can be used, and the sample of it is small."""

from pathlib import Path

import pytest

from benchmarks import settings
from benchmarks.programs import SOURCES
from pipeline.config import load
from pipeline.model.errors import RecipeError

ROOT = Path(__file__).resolve().parents[3]


def test_every_release_that_is_measured_has_a_recipe() -> None:
    """A benchmark of what cannot be built would measure nothing, and report that late."""
    whole = settings.load()

    releases = {package.version for package in whole.package} | set(whole.library.releases)
    assert set() == releases - set(load.versions(ROOT))


def test_every_compiled_workload_has_its_source() -> None:
    """And no source is there that nothing runs."""
    workloads = settings.load().workload
    compiled = {workload.name for workload in workloads if workload.command[0] == "{program}"}

    assert compiled == {file.stem for file in SOURCES.glob("*.c")}


def test_every_script_of_a_workload_is_there() -> None:
    """A script that is not there would be found by a whole run only."""
    words = [word for workload in settings.load().workload for word in workload.command]
    named = {word.rpartition("{sources}/")[2] for word in words if "{sources}/" in word}

    assert "history.sh" in named
    assert named <= {file.name for file in SOURCES.iterdir()}


def test_the_sample_is_one_round_of_the_smallest_work() -> None:
    """Its numbers mean nothing; it shows that all of it works."""
    sample = settings.load().sampled()

    assert {1} == {sample.rounds.cold, sample.rounds.warm, sample.rounds.library}
    assert 1 == len(sample.package) == len(sample.library.releases)
    assert all(workload.size == workload.counted for workload in sample.workload)
    assert 2 == len(sample.workload)


def test_a_misspelt_key_is_reported_with_its_place(tmp_path: Path) -> None:
    """As in every TOML file of the project."""
    file = tmp_path / "benchmarks.toml"
    file.write_text(settings.FILE.read_text().replace("warm ", "worm "))

    with pytest.raises(RecipeError) as caught:
        settings.load(file)
    assert "worm" in caught.value.detail
