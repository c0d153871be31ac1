"""`settings` and `allocators`: what is compared, and what a user may ask otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.compare import allocators, measurement, run, settings
from pipeline.compare.allocators import C_LIBRARY, CONTROL
from pipeline.compare.nginx import text
from pipeline.config import allocators
from pipeline.model.errors import HostError, RecipeError, RequestError
from pipeline.system.workspace import Workspace


def test_loads_are_as_they_are_asked() -> None:
    """In the order that they are asked in, each once."""
    found = settings.asked(loads="tls, static,tls", rounds="2", seconds="1")

    assert ["tls", "static"] == [load.name for load in found.load]
    assert (2, 1) == (found.rounds, found.seconds)


def test_a_sample_is_the_least_of_everything() -> None:
    """But for the loads: each of them is tried."""
    whole, sample = settings.asked(), settings.asked(sample=True)

    assert (1, 1) == (sample.rounds, sample.seconds)
    assert whole.load == sample.load
    assert 3 == sample.allocators


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"loads": "statics"}, "did you mean static"),
        ({"rounds": "0"}, "--rounds"),
        ({"seconds": "1.5"}, "--seconds"),
    ],
)
def test_what_cannot_be_is_refused(wish: dict[str, str], words: str) -> None:
    """Before anything is started."""
    with pytest.raises(RequestError, match=words):
        settings.asked(**wish)  # type: ignore[arg-type]


def test_a_load_without_a_path_is_told(tmp_path: Path) -> None:
    """As every slip in a TOML file is."""
    file = tmp_path / "compare.toml"
    file.write_text(settings.FILE.read_text().replace('paths       = ["/8k.txt"]', "paths = []"))
    with pytest.raises(RecipeError) as caught:
        settings.load(file)

    assert "load tls: at least one path" in caught.value.detail


def test_an_allocator_may_be_given_with_variables(tmp_path: Path) -> None:
    """One that is given twice with other settings is two; one without a path is the C library's."""
    library = tmp_path / "libx.so"
    library.write_text("")
    found = allocators._given(f"x={library},A=1,B=x=y")

    assert ("x", library, {"A": "1", "B": "x=y"}) == (found.name, found.library, found.env)
    assert {"LD_PRELOAD": str(library), "A": "1", "B": "x=y"} == found.variables()
    assert {"A": "1"} == allocators._given("bare=,A=1").variables()


@pytest.mark.parametrize("text", ["=/x", "x=/nope", "x=,A", "x=,=1"])
def test_an_allocator_that_cannot_be_is_refused(text: str) -> None:
    """A name, a file that is there, settings with names."""
    with pytest.raises(RequestError, match="--allocator"):
        allocators._given(text)


def test_without_packages_there_is_nothing_to_compare(checkout: Path, tmp_path: Path) -> None:
    """The hint is the command that makes them."""
    place = Workspace(checkout, tmp_path / "cache")
    for version in ("", "3.4.3"):
        with pytest.raises(RequestError, match="no package to compare") as caught:
            allocators.gather(place, tmp_path, (), version=version, dist="el8", flavor="")

        assert f"invoke build --version {version or 'all'} --dist el8" == caught.value.hint


def test_what_the_host_lacks_is_named(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package that would bring it; nothing is left out in silence."""

    def absent(library: str) -> Path:
        raise HostError(f"no {library} on this host")

    monkeypatch.setattr(allocators, "on_host", absent)
    monkeypatch.setattr(allocators, "_ours", lambda *_, **__: iter(()))
    place = Workspace(checkout, tmp_path / "cache")
    found, missing = allocators.gather(place, tmp_path, (), version="", dist="", flavor="")

    assert [C_LIBRARY, CONTROL] == [each.name for each in found]
    assert "no libjemalloc.so.2 on this host; in package libjemalloc2" == missing["jemalloc"]
    with pytest.raises(RequestError, match="two allocators of one name"):
        allocators.gather(place, tmp_path, (f"{C_LIBRARY}=",), version="", dist="", flavor="")


def test_an_nginx_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Centmin Mod's own is given by its path."""
    with pytest.raises(RequestError, match="--nginx"):
        run._nginx(str(tmp_path / "nginx"))


def test_what_wrk_prints_is_in_our_units() -> None:
    """Microseconds there, seconds and milliseconds here."""
    found = measurement.counted(3000, 2_000_000, 1500, 25000, 0, 4)

    assert (1500.0, 1.5, 25.0, 4) == (found.rate, found.p50, found.p99, found.broken)


def test_what_is_served_is_the_same_each_time() -> None:
    """And as long as it says."""
    assert 8192 == len(text(8192))
    assert text(2048) == text(2048)
    assert text(2048) != text(8192)[:2048]
