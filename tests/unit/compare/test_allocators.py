"""`allocators`: which are compared, and which values of --allocator are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifact import placement
from pipeline.compare import allocators
from pipeline.compare.allocators import C_LIBRARY, CONTROL, Allocator
from pipeline.compare.settings import Request
from pipeline.inspect import payload
from pipeline.model import Selection
from pipeline.model.errors import HostError, RequestError
from pipeline.system.workspace import Workspace
from pipeline.toolchain import emulator

OURS = [
    Allocator("mimalloc 2.0.6", Path("/2"), True),
    Allocator("mimalloc 3.4.3", Path("/3"), True),
]

Gather = Callable[..., tuple[list[Allocator], dict[str, str]]]


@pytest.fixture
def gather(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gather:
    """Gathers allocators where two packages are built, and the host has jemalloc only."""

    def library_file(library: str) -> Path:
        if "jemalloc" in library:
            return Path("/lib") / library
        raise HostError(f"no {library} on this host")

    monkeypatch.setattr(allocators, "library_file", library_file)
    monkeypatch.setattr(allocators, "_of_packages", lambda *_: iter(OURS))

    def gather(*texts: str, limit: int = 0) -> tuple[list[Allocator], dict[str, str]]:
        request = Request(Selection(), allocators=texts)
        place = Workspace(checkout, tmp_path / "cache")
        return allocators.gather(place, tmp_path, request, limit)

    return gather


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A file that stands for a library."""
    file = tmp_path / "libx.so"
    file.write_text("")
    return file


def test_all_allocators_are_gathered(gather: Gather, library: Path) -> None:
    """Those that the host lacks are named, with the package that brings them."""
    found, missing = gather(f"x={library}")

    names = [C_LIBRARY, CONTROL, *(item.name for item in OURS), "jemalloc", "x"]
    assert names == [item.name for item in found]
    assert {"tcmalloc", "Debian's 2.0.9"} == set(missing)
    expected = "no libtcmalloc_minimal.so.4 on this host; in package libtcmalloc-minimal4"
    assert expected == missing["tcmalloc"]


def test_a_sample_has_each_allocator_of_the_user(gather: Gather, library: Path) -> None:
    """Only the others are limited: the C library's, its control and the first of ours stay."""
    found, _ = gather(f"x={library}", f"y={library},A=1", limit=3)

    assert [C_LIBRARY, CONTROL, OURS[0].name, "x", "y"] == [item.name for item in found]


def test_two_allocators_of_one_name_are_refused(gather: Gather, library: Path) -> None:
    """Their results would be mixed up."""
    with pytest.raises(RequestError, match="two allocators of one name") as caught:
        gather(f"jemalloc={library}")

    assert "jemalloc" == caught.value.got


def test_an_allocator_may_have_variables(library: Path, tmp_path: Path) -> None:
    """One library with two settings is two allocators; the C library's may have settings, too."""
    allocator = allocators.parse(f"x={library},A=1,B=x=y", tmp_path)

    assert ("x", library, {"A": "1", "B": "x=y"}) == (
        allocator.name,
        allocator.library,
        allocator.env,
    )
    assert {"LD_PRELOAD": str(library), "A": "1", "B": "x=y"} == allocator.variables()
    assert {"A": "1"} == allocators.parse("one arena=glibc,A=1", tmp_path).variables()


def test_an_allocator_may_be_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any packager; its links are no second library."""

    def unpack(rpm: Path, scratch: Path) -> Path:
        folder = scratch / "root" / "usr" / "lib64"
        folder.mkdir(parents=True)
        for name in rpm.read_text().split():
            (folder / name).write_text("")
        (folder / "libjemalloc.so").symlink_to("libjemalloc.so.1")
        return scratch / "root"

    monkeypatch.setattr(payload, "unpack", unpack)
    rpm = tmp_path / "jemalloc-3.6.0-1.el7.x86_64.rpm"
    rpm.write_text("libjemalloc.so.1 libother.so.2")
    found = allocators.parse(f"EPEL's={rpm},A=1", tmp_path / "one").library
    assert found
    assert "libjemalloc.so.1" == found.name
    for names, got in (("libother.so.2", "none"), ("libjemalloc.so.1 libjemalloc.so.2", "so.1, ")):
        rpm.write_text(names)
        with pytest.raises(RequestError, match="a package of one allocator") as caught:
            allocators.parse(f"EPEL's={rpm}", tmp_path / names)

        assert got in caught.value.got


@pytest.mark.parametrize(
    "text",
    ["=/x", "x=", "x=,A=1", "x=/nope", "x=glibc,A", "x=glibc,=1"],
)
def test_an_invalid_allocator_is_refused(text: str, tmp_path: Path) -> None:
    """It needs a name, a file that is there, settings with names."""
    with pytest.raises(RequestError, match="--allocator") as caught:
        allocators.parse(text, tmp_path)

    assert caught.value.expected.startswith("NAME=PATH")


@pytest.mark.parametrize("text", ["", "/lib/libjemalloc.so.2", "x"])
def test_an_allocator_without_a_name_is_refused(text: str, tmp_path: Path) -> None:
    """A path alone is no name; the message says what is missing, and shows a right one."""
    with pytest.raises(RequestError, match="a name comes before the path") as caught:
        allocators.parse(text, tmp_path)

    assert text == caught.value.got
    assert "=/path/" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "flavor", "missing"),
    [("", "", "any"), ("3.4.3", "", "3.4.3"), ("3.4.3", "secure", "3.4.3 secure")],
)
def test_without_packages_there_is_nothing_to_compare(
    checkout: Path, tmp_path: Path, version: str, flavor: str, missing: str
) -> None:
    """The hint is the command that makes them."""
    place = Workspace(checkout, tmp_path / "cache")
    request = Request(Selection(version=version, dist="el8", flavor=flavor))
    with pytest.raises(RequestError, match="no package to compare") as caught:
        allocators.gather(place, tmp_path, request)

    assert f"invoke build --version {version or 'all'} --dist el8" == caught.value.hint
    assert f"{missing} for el8 in {place.dist}" == caught.value.expected


def test_of_a_version_one_flavor_is_enough(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the user names the other one, too."""
    rpm = tmp_path / "x.rpm"
    rpm.write_text("")
    monkeypatch.setattr(
        placement,
        "destination",
        lambda plan, place: rpm if plan.variant == "plain" else tmp_path / "none",
    )
    monkeypatch.setattr(emulator, "runs_here", lambda plan: True)
    monkeypatch.setattr(payload, "unpack", lambda rpm, folder: folder)
    place = Workspace(checkout, tmp_path / "cache")

    def names(flavor: str) -> list[str]:
        request = Request(Selection(version="3.4.3", dist="el8", flavor=flavor))
        found, _ = allocators.gather(place, tmp_path, request)
        return [item.name for item in found if item.ours]

    assert ["mimalloc 3.4.3 -nginx", "mimalloc 3.4.3"] == names("")
    with pytest.raises(RequestError, match="no package to compare"):
        names("plain,secure")
