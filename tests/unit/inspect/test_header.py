"""Headers of real RPMs, as rpm itself writes and reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from pipeline.inspect import header
from pipeline.model import Entry, FileEntry, Scriptlet
from pipeline.model.errors import CheckError

MakeRpm = Callable[..., Path]


def test_tags_read_as_in_the_spec(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """Text comes through whole: lines, ampersands, angle brackets, quotes."""
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
    """An epoch shows, though no file name has it."""
    assert "7" == header.read(make_rpm("Epoch: 7"), home=tmp_path).tags["EPOCH"]


def test_dependencies_read_as_rpm_prints_them(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """A dependency is a name, or a name with a sign and a version."""
    found = header.read(make_rpm("Requires: a, b >= 2, c < 3\n"), home=tmp_path)
    assert {"other = 5", "fixture = 1.2-3.el8"} <= set(found.provides)
    assert {"a", "b >= 2", "c < 3", "rpmlib(FileDigests) <= 4.6.0-1"} <= set(found.requires)


def test_files_are_in_the_order_of_rpm_qlp(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """The header's files and ``rpm -qlp`` name the same paths in the same order."""
    rpm = make_rpm()
    files = header.read(rpm, home=tmp_path).files
    assert tuple(entry.path for entry in files) == header.listing(rpm, home=tmp_path)
    assert [
        "fixture",
        "lib",
        "fixture.pc",
        "libfixture.so.1",
        "libfixture.so.1.0",
        "note.txt",
    ] == [entry.path.rpartition("/")[2] for entry in files]


def test_a_file_has_mode_owner_time_and_target(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """``mode`` is all of st_mode: kind and permissions; times are as clamped by rpmbuild."""
    files = {entry.path: entry for entry in header.read(make_rpm(), home=tmp_path).files}
    note, link = (files[f"/opt/fixture/lib/{name}"] for name in ("note.txt", "libfixture.so.1"))
    assert FileEntry(note.path, 0o100640, "root", "root", 1_000_000_000, 34, "") == note
    assert ("0o120777", "libfixture.so.1.0") == (oct(link.mode), link.link)


def test_scriptlets_have_program_and_body(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """A scriptlet may be shell, Lua, nothing but a program, or a trigger; all are found."""
    text = (
        "%pre\ntrue\n%post -p /sbin/ldconfig\n%postun -p <lua>\nposix.rmdir('/opt')\n"
        "%triggerin -- bash\nfalse\n%transfiletriggerin -- /usr/lib\nfalse\n"
    )
    assert {
        "pre": Scriptlet("/bin/sh", "true"),
        "post": Scriptlet("/sbin/ldconfig", ""),
        "postun": Scriptlet("<lua>", "posix.rmdir('/opt')"),
        "triggers": Scriptlet("/bin/sh", "false"),
        "transaction file triggers": Scriptlet("/bin/sh", "false"),
    } == header.read(make_rpm(text), home=tmp_path).scriptlets


def test_the_changelog_is_from_the_newest_down(make_rpm: MakeRpm, tmp_path: Path) -> None:
    """An entry has its day, its author line with the version, and its notes."""
    author = "somebody <somebody@example.invalid> - 1.2-"
    assert (
        Entry(date(2026, 11, 23), f"{author}3", "- Newest change\n- And another"),
        Entry(date(2026, 11, 22), f"{author}2", "- Older change"),
    ) == header.read(make_rpm(), home=tmp_path).changelog


def test_the_users_macros_have_no_say(
    make_rpm: MakeRpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the user's home changes nothing in what is read."""
    rpm, user = make_rpm(), tmp_path / "user"
    user.mkdir()
    (user / ".rpmmacros").write_text("%_query_all_fmt nonsense\n%_pkgverify_level all\n")
    (user / ".popt").write_text("rpm alias --xml --qf nonsense\n")
    monkeypatch.setenv("HOME", str(user))
    assert "fixture" == header.read(rpm, home=tmp_path / "empty").tags["NAME"]


def test_what_is_no_rpm_is_an_error(tmp_path: Path) -> None:
    """The error names the file, and tells what rpm said."""
    file = tmp_path / "broken.rpm"
    file.write_bytes(b"no package")
    with pytest.raises(CheckError, match=r"rpm cannot read broken\.rpm"):
        header.read(file, home=tmp_path)
