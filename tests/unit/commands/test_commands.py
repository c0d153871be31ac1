"""`errand`: many plans in turn, and what the user reads of them."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pipeline.artifact import placement
from pipeline.build import make
from pipeline.commands import build, doctor, listing
from pipeline.model import Built, Plan, Support
from pipeline.model.errors import CompileError, HostError, PackagingError, PatchError, RequestError
from pipeline.system.workspace import Workspace
from pipeline.toolchain import host_programs
from pipeline.toolchain.host_programs import Program

Outcome = Built | PackagingError

NAMES = [f"mimalloc-custom-2.0.6-1.el7.{arch}" for arch in ("x86_64", "s390x", "ppc64le")]


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """Every errand works in the scratch checkout."""
    monkeypatch.setattr("pipeline.system.workspace.locate", lambda root: workspace)


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> Callable[..., None]:
    """Sets what becomes of the builds: of all of them, or by architecture."""

    def set_up(found: Outcome | dict[str, Outcome]) -> None:
        def played(plan: Plan, *_: object, **__: object) -> Built:
            outcome = found[plan.arch] if isinstance(found, dict) else found
            if isinstance(outcome, PackagingError):
                raise outcome
            return outcome

        monkeypatch.setattr(make, "build", played)

    return set_up


def _built(plan: Plan, *, fresh: bool = True) -> Built:
    return Built(plan, Path("/dist/x.rpm"), "ab" * 32, 123, fresh)


def _after(lines: list[str], line: str, count: int) -> list[str]:
    at = lines.index(line) + 1
    return lines[at : at + count]


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
    build.run(checkout, [plan], "build", offline=False)
    name, took, sums, beside, _ = _lines(capsys)

    assert plan.nevra == name
    assert took.startswith("  built in 0.")
    assert took.endswith(" s: /dist/x.rpm")
    assert f"  123 bytes, sha256 {'ab' * 32}" == sums
    assert f"  with /dist/{plan.file_names[1]}" == beside


def test_second_build_says_that_all_is_up_to_date(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No time where nothing was done."""
    outcomes(_built(plan, fresh=False))
    build.run(checkout, [plan], "build", offline=False)

    assert "  up to date: /dist/x.rpm" == _lines(capsys)[1]


def test_build_goes_on_after_a_failure(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other packages are made; the failures are told where they happen and once more."""
    plans = [replace(plan, arch=arch) for arch in ("x86_64", "s390x", "ppc64le")]
    made = {
        "x86_64": CompileError("no luck", hint="this"),
        "s390x": _built(plans[1]),
        "ppc64le": PatchError("no better"),
    }
    outcomes(made)
    with pytest.raises(CompileError) as caught:
        build.run(checkout, plans, "build", offline=False, jobs=2)

    lines = _lines(capsys)
    words = {name: next(line for line in lines if line.startswith(name)) for name in NAMES}
    assert ["FAILED", "built", "FAILED"] == [words[name].split()[1] for name in NAMES]
    assert ["compile: no luck", "  try:      this"] == _after(lines, words[NAMES[0]], 2)
    assert "patch: no better" in lines
    assert 25 == caught.value.exit_code
    assert "2 of 3 failed, 1 done" == caught.value.what
    assert [f"{NAMES[0]}: no luck", f"{NAMES[2]}: no better"] == caught.value.detail.splitlines()


def test_many_builds_end_with_a_summary(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line for each release, a column for each machine, and how many there were of what."""
    old = replace(plan.root, dist="el6")
    plans = [plan, replace(plan, arch="s390x"), replace(plan, root=old)]
    outcomes({"x86_64": _built(plan, fresh=False), "s390x": _built(plan)})
    build.run(checkout, plans, "build", offline=False, jobs=1)

    lines = _lines(capsys)
    head = lines.index("")
    assert ["el7", "el7", "el6"] == lines[head + 1].split()
    assert ["mimalloc", "x86_64", "s390x", "x86_64"] == lines[head + 2].split()
    assert lines[head + 3].split()[:4] == ["2.0.6", "up", "to", "date"]
    assert lines[head + 5].startswith("3 packages: 2 up to date, 1 built; ")
    assert lines[head + 5].endswith(", 1 at once")


@pytest.mark.parametrize(
    ("fresh", "until", "told"),
    [
        (True, date(2000, 1, 1), True),
        (False, date(2000, 1, 1), False),
        (True, date.max, False),
    ],
)
def test_age_of_a_dist_is_told_once(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    fresh: bool,
    until: date,
    told: bool,
) -> None:
    """Of a dist that is past its end, in one line, and only where something was made for it."""
    plan = replace(plan, root=replace(plan.root, support=Support(until, "somebody")))
    plans = [plan, replace(plan, arch="s390x")]
    outcomes({each.arch: _built(each, fresh=fresh) for each in plans})
    build.run(checkout, plans, "build", offline=False)

    line = "Enterprise Linux 7 has had no maintenance since 2000-01-01"
    assert int(told) == _lines(capsys).count(line)


def test_jobs_are_counted_from_one(plan: Plan, checkout: Path) -> None:
    """Fewer than none cannot be at work."""
    with pytest.raises(RequestError) as caught:
        build.run(checkout, [plan, plan], "build", offline=False, jobs=-1)

    assert ("a number of 1 or more", "-1") == (caught.value.expected, caught.value.got)


def test_lone_failure_is_told_once(
    plan: Plan,
    outcomes: Callable[..., None],
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The door prints it."""
    outcomes(CompileError("no luck"))
    with pytest.raises(CompileError, match="no luck"):
        build.run(checkout, [plan], "build", offline=False)

    assert [plan.nevra] == _lines(capsys)


def test_step_prints_its_room(
    plan: Plan,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The user is told where to look at what a step has made."""
    monkeypatch.setattr(make, "do", lambda *arguments, **_: Path("/room", arguments[3]))
    build.run(checkout, [plan], "unpack", offline=False)
    build.run(checkout, [plan, replace(plan, arch="s390x")], "unpack", offline=False)

    lines = _lines(capsys)
    assert [plan.nevra, "  /room/unpack"] == lines[:2]
    assert 3 == lines.count("  /room/unpack")
    assert 2 == sum(line.split()[1:2] == ["done"] for line in lines if "mimalloc" in line)


@pytest.mark.usefixtures("rpmbuild")
def test_grid_shows_what_is_built(
    checkout: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Recipes by dists: a dash, the release number, or that it was made of something else."""

    def finished(plan: Plan, dirs: object) -> Built | None:
        return _built(plan) if plan.nevra == "mimalloc-custom-2.0.6-1.el7.x86_64" else None

    monkeypatch.setattr(placement, "finished", finished)
    old = workspace.dist / "el8" / "x86_64" / "mimalloc-custom-2.0.6-1.el8.x86_64.rpm"
    old.parent.mkdir(parents=True)
    old.touch()
    listing.run(checkout)
    dists, machines, *rows = _lines(capsys)
    cells = {row.split("  ")[0]: row.split("  ")[1:] for row in rows}
    states = {name: [cell.strip() for cell in row if cell] for name, row in cells.items()}

    assert ["el7", "el7", "el8", "el8"] == dists.split()[:4]
    assert ["mimalloc", "x86_64", "aarch64", "x86_64", "aarch64"] == machines.split()[:5]
    assert ["1", "-", "outdated", "-"] == states["2.0.6"][:4]
    assert {"-"} == set(states["2.0.6 secure"])


def _program(name: str, need: str, path: str = "") -> Program:
    return Program(name, f"{name}-package", need, f"does {name}", path, "1.2" if path else "")


def test_doctor_lists_what_is_there(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each program with its version or the package that has it; optional ones may be missing."""
    found = [_program("patch", "needed", "/usr/bin/patch"), _program("gpg", "optional")]
    monkeypatch.setattr(host_programs, "programs", lambda root: found)
    doctor.run(checkout)
    lines = _lines(capsys)

    assert ["patch", "1.2", "needed", "does", "patch"] == lines[0].split()
    assert lines[1].startswith("gpg            missing; in package gpg-package")
    assert {"ziglang", "cmake", "ninja"} <= {line.split()[0] for line in lines[2:]}


def test_doctor_fails_where_a_needed_program_is_missing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code tells a script, the message a user."""
    found = [_program("patch", "needed"), _program("rpm", "needed"), _program("gpg", "optional")]
    monkeypatch.setattr(host_programs, "programs", lambda root: found)
    with pytest.raises(HostError, match="missing: patch, rpm") as caught:
        doctor.run(checkout)

    assert ("./bootstrap invoke doctor", 11) == (caught.value.hint, caught.value.exit_code)


def test_grid_does_not_depend_on_the_host(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The grid shows every architecture of a dist, whichever this machine has."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(make, "prepare", lambda plan, place: None)
    monkeypatch.setattr(placement, "finished", lambda plan, dirs: _built(plan))
    listing.run(checkout)

    assert {"1"} == set(_lines(capsys)[-1].split()[2:])
