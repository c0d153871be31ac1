"""`package`: the facts of an RPM, from its file to its unpacked library."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from pipeline.inspect import package, payload
from pipeline.model.errors import CheckError

MakeRpm = Callable[..., Path]

LIBRARY = PurePosixPath("/opt/fixture/lib/libfixture.so.1.0")


def test_a_package_is_read_whole(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """Header, library and texts come from one file; there are no trials."""
    facts = package.read(make_rpm(), tmp_path / "scratch", library=LIBRARY)
    assert "fixture-1.2.rpm" == facts.file_name
    assert "fixture" == facts.header.tags["NAME"]
    assert str(LIBRARY) in facts.header.paths
    assert facts.library is not None
    assert "libfixture.so.1" == facts.library.soname
    assert "Libs: -lfixture\n" == facts.texts["/opt/fixture/lib/fixture.pc"]
    assert ((), (), ()) == (facts.host_names, facts.trials, facts.required)


def test_the_files_stay_unpacked(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """The unpacked files have a defined place, and modes and links as in the package."""
    scratch = tmp_path / "scratch"
    package.read(make_rpm(), scratch, library=LIBRARY)
    library = payload.place(payload.root(scratch), LIBRARY)
    assert 0o755 == library.stat().st_mode & 0o777
    assert library.resolve() == (library.parent / "libfixture.so.1").resolve()
    assert ["log", "root"] == sorted(file.name for file in scratch.iterdir())


def test_the_folder_is_emptied_before(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """No file of an earlier package stays."""
    rpm, scratch = make_rpm(), tmp_path / "scratch"
    payload.root(scratch).mkdir(parents=True)
    old = payload.root(scratch) / "old"
    old.touch()
    package.read(rpm, scratch, library=LIBRARY)
    assert not old.exists()


@pytest.mark.parametrize("name", ["/opt/none.so", "/opt/fixture/lib/libfixture.so.1"])
def test_a_package_may_have_no_library(make_rpm: MakeRpm, tmp_path: Path, name: str) -> None:
    """The path is missing, or a link; that is a finding of the checks."""
    facts = package.read(make_rpm(), tmp_path / "scratch", library=PurePosixPath(name))
    assert facts.library is None


def test_host_names_in_files_and_header(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """A path and a name of the host, with their places."""
    names = ["/home/builder", "box", "absent"]
    facts = package.read(make_rpm(), tmp_path / "scratch", library=LIBRARY, names=names)
    assert (
        ("header BUILDHOST", "box"),
        ("/opt/fixture/lib/note.txt", "/home/builder"),
        ("/opt/fixture/lib/note.txt", "box"),
    ) == facts.host_names


def test_another_file_is_an_error(tmp_path: Path) -> None:
    """The error has the name of the file, and no part of an archive stays."""
    file = tmp_path / "broken.rpm"
    file.write_bytes(b"no package")
    with pytest.raises(CheckError, match=r"broken\.rpm cannot be unpacked"):
        package.read(file, tmp_path / "scratch", library=LIBRARY)
    assert not (tmp_path / "scratch" / "payload.cpio").exists()


def test_a_path_matches_anywhere(tmp_path: Path) -> None:
    """Also in the middle of binary content, and at the start of a longer path."""
    (tmp_path / "file").write_bytes(b"\0\xffx/home/me/build/src/init.c\0")
    assert (("/file", "/home/me"),) == package.host_names(["/home/me"], {}, tmp_path)


@pytest.mark.parametrize("text", ["on box.", "me@box", "box.example.invalid", "box"])
def test_a_name_matches_as_a_word(tmp_path: Path, text: str) -> None:
    """A host name ends at a dot, a space or the end of the text."""
    assert (("header BUILDHOST", "box"),) == package.host_names(
        ["box"], {"BUILDHOST": text}, tmp_path
    )


@pytest.mark.parametrize("text", ["toolbox", "boxes", "box-2", "my_box", "Box"])
def test_a_name_does_not_match_inside_another(tmp_path: Path, text: str) -> None:
    """A longer word is another word."""
    assert () == package.host_names(["box"], {"BUILDHOST": text}, tmp_path)


def test_path_names_count(tmp_path: Path) -> None:
    """A folder may have the name of the host."""
    (tmp_path / "box").mkdir()
    assert (("name of /box", "box"),) == package.host_names(["box"], {}, tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """The target of a link is not in the package."""
    outside = tmp_path / "outside"
    outside.write_text("box")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(outside)
    assert () == package.host_names(["box"], {}, tmp_path / "root")


def test_empty_names_are_ignored(tmp_path: Path) -> None:
    """An empty name would match everywhere."""
    (tmp_path / "file").write_text("text")
    assert (("/file", "text"),) == package.host_names(["", "text"], {}, tmp_path)
