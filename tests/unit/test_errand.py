"""`errand`: many plans in turn, and what the user reads of them."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import build, errand, host
from pipeline.errors import CompileError, HostError, PackagingError, PatchError
from pipeline.host import Program
from pipeline.model import Built, Plan
from pipeline.workspace import Workspace

Outcome = Built | PackagingError


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """Every errand works in the scratch checkout."""
    monkeypatch.setattr("pipeline.workspace.locate", lambda root: workspace)


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> Callable[..., None]:
    """Sets what becomes of the builds, in turn."""

    def set_up(*found: Outcome) -> None:
        left = list(found)

        def played(*_: object, **__: object) -> Built:
            outcome = left.pop(0)
            if isinstance(outcome, PackagingError):
                raise outcome
            return outcome

        monkeypatch.setattr(build, "build", played)

    return set_up


def _built(plan: Plan, *, fresh: bool = True) -> Built:
    return Built(plan, Path("/dist/x.rpm"), "ab" * 32, 123, fresh)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_build_ends_with_path_size_and_checksum(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was made, where it is, and what to compare it with."""
    outcomes(_built(plan))
    errand.make(checkout, [plan], "build", offline=False)
    name, took, sums = _lines(capsys)

    assert plan.nevra == name
    assert took.startswith("  built in 0.")
    assert took.endswith(" s: /dist/x.rpm")
    assert f"  123 bytes, sha256 {'ab' * 32}" == sums


def test_second_build_says_that_all_is_up_to_date(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No time where nothing was done."""
    outcomes(_built(plan, fresh=False))
    errand.make(checkout, [plan], "build", offline=False)

    assert "  up to date: /dist/x.rpm" == _lines(capsys)[1]


def test_build_goes_on_after_a_failure(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other packages are made; the failures are told where they happen and once more."""
    outcomes(CompileError("no luck"), _built(plan), PatchError("no better"))
    with pytest.raises(CompileError) as caught:
        errand.make(checkout, [plan, plan, plan], "build", offline=False)

    lines = _lines(capsys)
    assert 3 == lines.count(plan.nevra)
    assert "compile: no luck" in lines
    assert "patch: no better" in lines
    assert 25 == caught.value.exit_code
    assert "2 of 3 failed, 1 done" == caught.value.what


def test_lone_failure_is_told_once(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The door prints it."""
    outcomes(CompileError("no luck"))
    with pytest.raises(CompileError, match="no luck"):
        errand.make(checkout, [plan], "build", offline=False)

    assert [plan.nevra] == _lines(capsys)


def test_step_prints_its_room(
    plan: Plan,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The user is told where to look at what a step has made."""
    monkeypatch.setattr(build, "do", lambda *arguments, offline: Path("/room", arguments[3]))
    errand.make(checkout, [plan, plan], "unpack", offline=False)

    assert [plan.nevra, "  /room/unpack"] * 2 == _lines(capsys)


@pytest.mark.usefixtures("rpmbuild")
def test_grid_shows_what_is_built(
    checkout: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Recipes by dists: a dash, the release number, or that it was made of something else."""

    def finished(plan: Plan, site: object) -> Built | None:
        known = (plan.recipe.version, plan.root.dist) == ("2.0.6", "el7")
        return _built(plan) if known else None

    monkeypatch.setattr(build, "finished", finished)
    old = workspace.dist / "el8" / "x86_64" / "mimalloc-custom-2.0.6-1.el8.x86_64.rpm"
    old.parent.mkdir(parents=True)
    old.touch()
    errand.show_grid(checkout)
    head, *rows = _lines(capsys)
    cells = {row.split()[0]: row for row in rows}

    assert ["mimalloc", "el7", "el8"] == head.split()[:3]
    assert "x86_64 1" in cells["2.0.6"][:32]
    assert "x86_64 outdated" in cells["2.0.6"]
    assert {"-"} == set(cells["2.0.9"].split()[1:])


def _program(name: str, need: str, path: str = "") -> Program:
    return Program(name, f"{name}-package", need, f"does {name}", path, "1.2" if path else "")


def test_doctor_lists_what_is_there(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each program with its version or the package that has it; optional ones may be missing."""
    found = [_program("patch", "needed", "/usr/bin/patch"), _program("gpg", "optional")]
    monkeypatch.setattr(host, "programs", lambda root: found)
    errand.show_host(checkout)
    lines = _lines(capsys)

    assert ["patch", "1.2", "needed", "does", "patch"] == lines[0].split()
    assert lines[1].startswith("gpg            missing; in package gpg-package")
    assert {"ziglang", "cmake", "ninja"} <= {line.split()[0] for line in lines[2:]}


def test_doctor_fails_where_a_needed_program_is_missing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code tells a script, the message a user."""
    found = [_program("patch", "needed"), _program("rpm", "needed"), _program("gpg", "optional")]
    monkeypatch.setattr(host, "programs", lambda root: found)
    with pytest.raises(HostError, match="missing: patch, rpm") as caught:
        errand.show_host(checkout)

    assert ("./bootstrap invoke doctor", 11) == (caught.value.hint, caught.value.exit_code)


def test_grid_does_not_depend_on_the_host(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The grid shows every architecture of a dist, whichever this machine has."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(build, "prepare", lambda plan, place: None)
    monkeypatch.setattr(build, "finished", lambda plan, site: _built(plan))
    errand.show_grid(checkout)

    assert "x86_64 1" in capsys.readouterr().out
