"""The facts of a whole package, from its file to its unpacked library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from pipeline import inspect
from pipeline.inspect import payload
from pipeline.model.errors import CheckError

MakeRpm = Callable[..., Path]

LIBRARY = PurePosixPath("/opt/fixture/lib/libfixture.so.1.0")


def test_a_package_is_read_whole(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """Header, listing, library and texts come from the one file; nobody has tried it yet."""
    found = inspect.read(make_rpm(), tmp_path / "scratch", library=LIBRARY)
    assert "fixture-1.2.rpm" == found.file_name
    assert "fixture" == found.header.tags["NAME"]
    assert str(LIBRARY) in found.listing
    assert found.library is not None
    assert "libfixture.so.1" == found.library.soname
    assert {"/opt/fixture/lib/fixture.pc": "Libs: -lfixture\n"} == found.texts
    assert ((), (), ()) == (found.traces, found.trials, found.required)


def test_the_files_stay_for_whoever_runs_them(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """The unpacked files are at a known place, with modes and links as in the package."""
    scratch = tmp_path / "scratch"
    inspect.read(make_rpm(), scratch, library=LIBRARY)
    library = payload.place(payload.root(scratch), LIBRARY)
    assert 0o755 == library.stat().st_mode & 0o777
    assert library.resolve() == (library.parent / "libfixture.so.1").resolve()
    assert ["log", "root"] == sorted(file.name for file in scratch.iterdir())


def test_a_second_reading_starts_anew(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """Files of an earlier package do not stay behind."""
    rpm, scratch = make_rpm(), tmp_path / "scratch"
    payload.root(scratch).mkdir(parents=True)
    old = payload.root(scratch) / "old"
    old.touch()
    inspect.read(rpm, scratch, library=LIBRARY)
    assert not old.exists()


@pytest.mark.parametrize("name", ["/opt/none.so", "/opt/fixture/lib/libfixture.so.1"])
def test_a_package_may_have_no_library(make_rpm: MakeRpm, tmp_path: Path, name: str) -> None:
    """A path that is not there, or is a link, is no library; to judge that is for checks."""
    found = inspect.read(make_rpm(), tmp_path / "scratch", library=PurePosixPath(name))
    assert found.library is None


def test_traces_are_found_in_files_and_header(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """A path and a host name are found where they are, and the places are told."""
    needles = ["/home/builder", "box", "absent"]
    found = inspect.read(make_rpm(), tmp_path / "scratch", library=LIBRARY, needles=needles)
    assert (
        ("header BUILDHOST", "box"),
        ("/opt/fixture/lib/note.txt", "/home/builder"),
        ("/opt/fixture/lib/note.txt", "box"),
    ) == found.traces


def test_what_is_no_rpm_is_an_error(tmp_path: Path) -> None:
    """The error names the file and the log, and leaves no half of an archive."""
    file = tmp_path / "broken.rpm"
    file.write_bytes(b"no package")
    with pytest.raises(CheckError, match=r"broken\.rpm cannot be unpacked"):
        inspect.read(file, tmp_path / "scratch", library=LIBRARY)
    assert not (tmp_path / "scratch" / "payload.cpio").exists()
