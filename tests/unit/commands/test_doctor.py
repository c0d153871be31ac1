"""`invoke doctor`: the programs of this host."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import doctor
from pipeline.model.errors import HostError
from pipeline.system.workspace import CACHE_VARIABLE
from pipeline.toolchain import host_programs
from pipeline.toolchain.host_programs import Program


def _program(name: str, use: str, path: str = "") -> Program:
    return Program(name, f"{name}-package", (use,), f"does {name}", path, "1.2" if path else "")


def test_it_lists_what_is_there(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each program with its version or the package that has it; optional ones may be missing."""
    programs = [_program("patch", "build", "/usr/bin/patch"), _program("gpg", "sign")]
    monkeypatch.setattr(host_programs, "programs", lambda root: programs)
    doctor.run(checkout)
    lines = capsys.readouterr().out.splitlines()

    assert ["patch", "1.2", "does", "patch", "(build)"] == lines[0].split()
    assert lines[1].startswith("gpg            missing; in package gpg-package")
    assert {"ziglang", "cmake", "ninja"} <= {line.split()[0] for line in lines[2:]}


def test_it_shows_what_takes_space(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with two names counts once; what is not there is left out."""
    monkeypatch.setattr(host_programs, "programs", lambda root: [])
    monkeypatch.setenv(CACHE_VARIABLE, str(checkout.parent / "cache"))
    work = checkout / "work"
    work.mkdir()
    (work / "file").write_bytes(b"x" * 3_000_000)
    (work / "again").hardlink_to(work / "file")
    results: dict[str, Any] = doctor.run(checkout)

    (line,) = (line for line in capsys.readouterr().out.splitlines() if "of disk" in line)
    assert ["work", "3", "MB", "of", "disk", str(work), "(invoke", "clean)"] == line.split()
    assert ["work"] == [each["what"] for each in results["disk"]]


def test_it_fails_where_a_needed_program_is_missing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an exit code of its own, and the programs' names."""
    needed = [_program("patch", "build"), _program("rpm", "build")]
    programs = [*needed, _program("gpg", "sign")]
    monkeypatch.setattr(host_programs, "programs", lambda root: programs)
    with pytest.raises(HostError, match="missing: patch, rpm") as caught:
        doctor.run(checkout)

    assert ("./bootstrap invoke doctor", 11) == (caught.value.hint, caught.value.exit_code)
