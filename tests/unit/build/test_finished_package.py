"""The finished package: its final name, what accounts for it, and when it is up to date."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifact import placement, statement
from pipeline.model import Built, Plan
from pipeline.model.errors import CompileError
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import Workspace, place, remove
from tests.unit.build.conftest import FakeSteps

pytestmark = pytest.mark.usefixtures("rpmbuild", "checkout", "steps")

Build = Callable[..., Built]


def _files(rpm: Path) -> tuple[Path, Path, Path]:
    """A package, its statement, and its bill of materials."""
    return rpm, *statement.accompanying_files(rpm)


def test_a_package_gets_its_final_name(plan: Plan, workspace: Workspace, build: Build) -> None:
    """The RPMs, beside each what it was made from, and nothing else."""
    built = build()
    folder = workspace.dist / "el7" / "x86_64"
    content = json.loads((folder / f"{plan.nevra}.provenance.json").read_text())
    definition = content["predicate"]["buildDefinition"]

    assert folder / plan.file_name == built.rpm
    stems = [name.removesuffix(".rpm") for name in plan.file_names]
    endings = ("rpm", "provenance.json", "cdx.json")
    assert {f"{stem}.{end}" for stem in stems for end in endings} == {
        file.name for file in folder.iterdir()
    }
    assert "an RPM\n" == built.rpm.read_text()
    (subject,) = content["subject"]
    assert (built.rpm.name, built.sha256) == (subject["name"], subject["digest"]["sha256"])
    assert built.fresh
    assert plan.recipe.tree == definition["internalParameters"]["tree"]
    dependencies = definition["resolvedDependencies"]
    assert "https://x.invalid/" == dependencies[0]["annotations"]["reference"]
    assert "x86_64-linux-gnu.2.17" == definition["internalParameters"]["compiler"]["target"]
    assert "pkg:generic/rpmbuild@4.18.0" in [tool.get("uri") for tool in dependencies]


def test_statement_and_bill_name_neither_time_nor_machine(
    workspace: Workspace, build: Build
) -> None:
    """The same build gives the same statement and the same bill."""
    _, *files = _files(build().rpm)
    contents = [file.read_bytes() for file in files]
    for folder in (workspace.work, workspace.dist):
        remove(folder)
    build()

    assert contents == [file.read_bytes() for file in files]
    assert str(workspace.root).encode() not in b"".join(contents)


def test_a_second_build_does_nothing(
    steps: FakeSteps, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is there is found, and no program is run for it."""
    first = build()
    steps.ran()
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    second = build()

    assert [] == steps.ran()
    assert replace(first, fresh=False) == second


def test_a_second_build_imports_only_what_it_needs(project: Path) -> None:
    """What writes bills of materials takes time to import."""
    code = "import sys, tasks, pipeline.commands.build; print('cyclonedx' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True
    ).stdout

    assert "False\n" == output


# --- altered and removed -------------------------------------------------------------------------


def _write(text: str, index: int) -> Callable[[Path], object]:
    return lambda rpm: _files(rpm)[index].write_text(text)


def _set(field: str, value: object) -> Callable[[Path], object]:
    def change(rpm: Path) -> None:
        file = _files(rpm)[1]
        file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))

    return change


def _clear(field: str) -> Callable[[Path], object]:
    def change(rpm: Path) -> None:
        file = _files(rpm)[1]
        file.write_text(
            re.sub(rf'("{field}": ")[0-9a-f]{{64}}', r"\g<1>" + "0" * 64, file.read_text())
        )

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(_write("altered\n", index) for index in range(3)),
        *(lambda rpm, index=index: _files(rpm)[index].unlink() for index in range(3)),
        lambda rpm: _files(rpm)[1].write_bytes(b"\xff"),
        *(_write(text, 1) for text in ("{", "{}", "[]", '{"subject": [], "predicate": {}}')),
        _set("_type", "https://in-toto.io/Statement/v0.1"),
        _set("predicateType", "https://slsa.dev/provenance/v0.2"),
        _set("subject", 2 * [{"name": "a.rpm", "digest": {"sha256": "0" * 64}}]),
        _clear("sha256"),
        _clear("key"),
    ],
)
def test_an_altered_package_is_not_up_to_date(
    build: Build, change: Callable[[Path], object]
) -> None:
    """An altered RPM, statement or bill is replaced by what was checked."""
    first = build()
    contents = [file.read_bytes() for file in _files(first.rpm)]
    change(first.rpm)
    second = build()

    assert second.fresh
    assert contents == [file.read_bytes() for file in _files(second.rpm)]


def test_an_altered_sub_package_is_not_up_to_date(plan: Plan, build: Build) -> None:
    """A package is up to date if all that was made with it is there, too."""
    (subpackage,) = (build().rpm.with_name(name) for name in plan.file_names[1:])
    subpackage.write_text("another RPM\n")
    assert build().fresh
    assert "an RPM\n" == subpackage.read_text()
    subpackage.unlink()

    assert build().fresh
    assert not build().fresh


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_pipe_in_the_place_of_a_file_does_not_block(build: Build, index: int) -> None:
    """Whether it is the package's, the statement's or the bill's: nothing matches it."""
    rpm = build().rpm
    pipe = _files(rpm)[index]
    pipe.unlink()
    os.mkfifo(pipe)

    assert not statement.matches(rpm)
    assert build().fresh
    assert pipe.is_file()


def test_a_statement_is_about_one_name(build: Build) -> None:
    """A package that was given the name of another one is not the one that was checked."""
    rpm = build().rpm
    other = rpm.with_name("another-1-1.el7.x86_64.rpm")
    for old, new in zip(_files(rpm), _files(other), strict=True):
        old.rename(new)

    assert not statement.matches(other)


def test_a_package_that_fails_its_check_gets_no_name(steps: FakeSteps, build: Build) -> None:
    """An older package of the name stays what it was."""
    first = build()
    contents = [file.read_bytes() for file in _files(first.rpm)]

    def fail() -> None:
        raise CompileError("it does not compile")

    steps.hooks["check"] = fail
    with pytest.raises(CompileError):
        build(replace(first.plan, isa=replace(first.plan.isa, groups=())))

    assert contents == [file.read_bytes() for file in _files(first.rpm)]
    assert 3 * len(first.plan.file_names) == len(list(first.rpm.parent.iterdir()))


# --- signed and interrupted ----------------------------------------------------------------------


def test_a_signed_file_replaces_what_was_built(build: Build, tmp_path: Path) -> None:
    """It is up to date; the checksum as built stays in the statement, also if signed again."""
    built, signed = build(), tmp_path / "signed.rpm"
    for content, signer in (("once\n", "A" * 40), ("twice\n", "B" * 40)):
        signed.write_text(content)
        statement.replace_with_signed(built.rpm, signed, signer)

    content = json.loads(_files(built.rpm)[1].read_text())
    (subject,) = content["subject"]
    _, as_built = content["predicate"]["runDetails"]["byproducts"]
    assert (sha256_of(signed), "B" * 40) == (
        subject["digest"]["sha256"],
        subject["annotations"]["signer"],
    )
    assert built.sha256 == as_built["digest"]["sha256"]
    assert statement.matches(built.rpm)
    assert not build().fresh
    assert "twice\n" == built.rpm.read_text()


@pytest.mark.parametrize("placed", [False, True])
def test_an_interrupted_signing_is_completed_or_undone(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placed: bool
) -> None:
    """With the signed file in place it is signed, before that it is not; a build keeps either."""
    built, signed = build(), tmp_path / "signed.rpm"
    signed.write_text("signed\n")

    def interrupt(source: Path, target: Path) -> None:
        if placed:
            place(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(statement, "place", interrupt)
        with pytest.raises(KeyboardInterrupt):
            statement.replace_with_signed(built.rpm, signed, "A" * 40)
    names = {file.name for file in _files(built.rpm)}

    assert placed != statement.matches(built.rpm)
    assert not build().fresh
    assert placed == ("signed\n" == built.rpm.read_text())
    assert statement.matches(built.rpm)
    assert names == {file.name for file in built.rpm.parent.glob("*custom-2*")}
    assert not list(built.rpm.parent.glob(".*"))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_build_that_was_interrupted_while_placing_is_done_again(
    build: Build, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Package, bill and statement belong together: as long as one is missing, there is none."""
    written = 0

    def interrupted(write: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: object) -> None:
            nonlocal written
            if written == count:
                raise KeyboardInterrupt
            written += 1
            write(*arguments)

        return run

    with monkeypatch.context() as patched:
        for name in ("place", "place_text"):
            patched.setattr(placement, name, interrupted(getattr(placement, name)))
        with pytest.raises(KeyboardInterrupt):
            build()
    built = build()

    assert built.fresh
    assert statement.matches(built.rpm)
