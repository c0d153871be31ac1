"""`host_programs`: the table of programs, and which of them this host has."""

from pathlib import Path

import pytest

from pipeline.model.errors import RecipeError
from pipeline.toolchain import host_programs

TABLE = """\
# program  debian  el      uses      purpose
knife      cutlery cutler  build,tests cuts bread and cheese

fork       forks   -       -         holds
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    (tmp_path / "buildroot").mkdir()
    (tmp_path / host_programs.PROGRAMS).write_text(TABLE)
    return folder


def _add(folder: Path, name: str, body: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("manager", "packages"),
    [
        ("apt-get", ["cutlery", "forks"]),
        ("dnf", ["cutler", "-"]),
        ("yum", ["cutler", "-"]),
        ("", ["cutlery", "forks"]),
    ],
)
def test_packages_are_named_as_the_host_names_them(
    tmp_path: Path, programs: Path, manager: str, packages: list[str]
) -> None:
    """Each family of distributions has its own names."""
    if manager:
        _add(programs, manager)
    rows = host_programs.programs(tmp_path)

    assert packages == [program.package for program in rows]
    assert ["", ""] == [program.path for program in rows]
    assert (("build", "tests"), "cuts bread and cheese") == (rows[0].uses, rows[0].purpose)


def test_a_library_is_where_the_loader_finds_it(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not a program, and not on PATH."""
    (tmp_path / host_programs.PROGRAMS).write_text("libfast.so.2 libfast2 - tests allocates\n")
    output = "1-2 r-xp 0 8:1 3 /lib/breakfast.so.2\n3-4 r-xp 0 8:1 4 /lib/libfast.so.2.1\n"
    monkeypatch.setattr("pipeline.system.process.attempt", lambda *_, **__: (0, output, ""))
    (program,) = host_programs.programs(tmp_path)
    assert ("/lib/libfast.so.2.1", "libfast.so.2.1") == (program.path, program.version)

    monkeypatch.setattr("pipeline.system.process.attempt", lambda *_, **__: (0, output[:30], ""))

    (program,) = host_programs.programs(tmp_path)
    assert "" == program.path


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ("echo knife version 1.22.333, since 2001", "1.22.333"),
        ("echo 'knife 4.5' >&2", "4.5"),
        ('[ "$1" = -v ] && echo knife/7.8 || exit 2', "7.8"),
        ("echo sharp", "?"),
        ("exit 1", "?"),
    ],
)
def test_version_is_what_a_program_prints(
    tmp_path: Path, programs: Path, body: str, version: str
) -> None:
    """On either output, with one of two options; a program without a version is not missing."""
    _add(programs, "knife", body)
    knife = host_programs.programs(tmp_path)[0]

    assert (str(programs / "knife"), version) == (knife.path, knife.version)


def test_program_of_another_machine_has_no_version(tmp_path: Path, programs: Path) -> None:
    """It cannot run here, as the loader that an emulator needs, but it is not missing."""
    _add(programs, "knife")
    (programs / "knife").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    knife = host_programs.programs(tmp_path)[0]

    assert (str(programs / "knife"), "?") == (knife.path, knife.version)


def test_program_may_be_named_by_its_path(tmp_path: Path, programs: Path) -> None:
    """Where it is not on PATH."""
    loader = tmp_path / "aarch64" / "ld.so"
    loader.parent.mkdir()
    line = f"{loader} libc6-cross - tests C library for aarch64\n"
    (tmp_path / host_programs.PROGRAMS).write_text(line)
    (missing,) = host_programs.programs(tmp_path)
    _add(loader.parent, "ld.so", "echo ld.so 2.36")
    (program,) = host_programs.programs(tmp_path)

    assert "" == missing.path
    assert (str(loader), "2.36") == (program.path, program.version)
    assert programs.is_dir()


def test_table_with_a_short_line(tmp_path: Path, programs: Path) -> None:
    """A line that lacks a column is shown, with its file."""
    (tmp_path / host_programs.PROGRAMS).write_text(f"{TABLE}spoon spoons spoons build\n")
    with pytest.raises(RecipeError) as caught:
        host_programs.programs(tmp_path)

    assert "spoon spoons spoons build" == caught.value.got
    assert tmp_path / host_programs.PROGRAMS == caught.value.file
    assert programs.is_dir()


def test_real_table_can_be_read(project: Path) -> None:
    """What every build runs is marked so."""
    rows = host_programs.programs(project)

    needed = {program.name for program in rows if "build" in program.uses}
    assert {"rpmbuild", "rpm", "rpm2cpio", "cpio", "patch"} == needed


def test_pinned_versions_are_installed() -> None:
    """What decides the bytes of a package is in the environment."""
    assert {"ziglang", "cmake", "ninja", "invoke"} == set(host_programs.pinned())
