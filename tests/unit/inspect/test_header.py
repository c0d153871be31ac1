"""`header`: headers of RPMs that rpmbuild writes and rpm reads."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.inspect import header
from pipeline.model import FileEntry
from pipeline.model.errors import CheckError

MakeRpm = Callable[..., Path]


def test_tags_read_as_in_the_spec(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """Text is complete: lines, ampersands, angle brackets, quotes."""
    tags = header.read(make_rpm(), home=tmp_path).tags
    expected = {
        "NAME": "fixture",
        "VERSION": "1.2",
        "RELEASE": "3.el8",
        "ARCH": "noarch",
        "OS": "linux",
        "DESCRIPTION": "First line.\nSecond line.",
        "VENDOR": 'fixture & sons <"vendor">',
        "BUILDHOST": "box.example.invalid",
        "BUILDTIME": "1000000000",
        "SOURCERPM": "fixture-1.2-3.el8.src.rpm",
        "PAYLOADFORMAT": "cpio",
        "PAYLOADCOMPRESSOR": "gzip",
        "PAYLOADFLAGS": "1",
        "FILEDIGESTALGO": "8",
    }
    assert expected == {tag: tags.get(tag) for tag in expected}
    assert "EPOCH" not in tags


def test_an_epoch_is_a_tag(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """It is not in the file name."""
    assert "7" == header.read(make_rpm("Epoch: 7"), home=tmp_path).tags["EPOCH"]


def test_dependencies_read_as_rpm_prints_them(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """A dependency is a name, or a name with a sign and a version."""
    head = header.read(make_rpm("Requires: a, b >= 2, c < 3\n"), home=tmp_path)
    assert {"other = 5", "fixture = 1.2-3.el8"} <= set(head.provides)
    assert {"a", "b >= 2", "c < 3", "rpmlib(FileDigests) <= 4.6.0-1"} <= set(head.requires)


def test_files_are_in_the_order_of_rpm_qlp(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """The header's files and ``rpm -qlp`` name the same paths in the same order."""
    rpm = make_rpm()
    paths = header.read(rpm, home=tmp_path).paths
    listing = subprocess.run(["rpm", "-qlp", rpm], check=True, capture_output=True, text=True)
    assert "".join(f"{path}\n" for path in paths) == listing.stdout
    assert [
        "fixture",
        "lib",
        "fixture.pc",
        "libfixture.so.1",
        "libfixture.so.1.0",
        "note.txt",
    ] == [path.rpartition("/")[2] for path in paths]


def test_a_file_has_mode_owner_time_and_target(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """``mode`` is all of st_mode: kind and permissions; times are as clamped by rpmbuild."""
    files = {entry.path: entry for entry in header.read(make_rpm(), home=tmp_path).files}
    note, link = (files[f"/opt/fixture/lib/{name}"] for name in ("note.txt", "libfixture.so.1"))
    assert FileEntry(note.path, 0o100640, "root", "root", 1_000_000_000) == note
    assert ("0o120777", "libfixture.so.1.0") == (oct(link.mode), link.link)


def test_scriptlets_have_interpreter_and_text(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """A scriptlet may be shell, Lua, only a program, or a trigger."""
    text = (
        "%pre\ntrue\n%post -p /sbin/ldconfig\n%postun -p <lua>\nposix.rmdir('/opt')\n"
        "%triggerin -- bash\nfalse\n%transfiletriggerin -- /usr/lib\nfalse\n"
    )
    assert {
        "pre": "/bin/sh: true",
        "post": "/sbin/ldconfig",
        "postun": "<lua>: posix.rmdir('/opt')",
        "triggers": "/bin/sh: false",
        "transaction file triggers": "/bin/sh: false",
    } == header.read(make_rpm(text), home=tmp_path).scriptlets


def test_the_changelog_is_from_the_newest_down(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """An entry has its day, its author with the version, and its notes."""
    author = "somebody <somebody@example.invalid> - 1.2-"
    assert (
        f"2026-11-23 {author}3\n- Newest change\n- And another",
        f"2026-11-22 {author}2\n- Older change",
    ) == header.read(make_rpm(), home=tmp_path).changelog


def test_the_users_macros_have_no_effect(
    make_rpm: MakeRpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do the aliases of popt."""
    rpm, user = make_rpm(), tmp_path / "user"
    user.mkdir()
    (user / ".rpmmacros").write_text("%_query_all_fmt nonsense\n%_pkgverify_level all\n")
    (user / ".popt").write_text("rpm alias --xml --qf nonsense\n")
    monkeypatch.setenv("HOME", str(user))
    assert "fixture" == header.read(rpm, home=tmp_path / "empty").tags["NAME"]


def test_another_file_is_an_error(tmp_path: Path) -> None:
    """The error has the name of the file."""
    file = tmp_path / "broken.rpm"
    file.write_bytes(b"no package")
    with pytest.raises(CheckError, match=r"rpm cannot read broken\.rpm"):
        header.read(file, home=tmp_path)
