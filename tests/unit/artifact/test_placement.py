"""`artifact.placement`: final names, what accounts for a package, and when it is up to date."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifact import placement, statement
from pipeline.model import Plan
from pipeline.model.errors import RequestError
from pipeline.system.workspace import StepDirs, Workspace, remove
from tests.unit.artifact.conftest import ORIGIN, Build, record

pytestmark = pytest.mark.usefixtures("rpmbuild")


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
    """The same package has the same statement and the same bill."""
    files = statement.accompanying_files(build().rpm)
    contents = [file.read_bytes() for file in files]
    remove(workspace.dist)
    build()

    assert contents == [file.read_bytes() for file in files]
    assert str(workspace.root).encode() not in b"".join(contents)


def test_an_altered_sub_package_is_not_up_to_date(plan: Plan, build: Build) -> None:
    """A package is up to date if all that was made with it is there, too."""
    subpackage, _ = (build().rpm.with_name(name) for name in plan.file_names[1:])
    subpackage.write_text("another RPM\n")
    assert build().fresh
    assert "an RPM\n" == subpackage.read_text()
    subpackage.unlink()

    assert build().fresh
    assert not build().fresh


@pytest.mark.parametrize("count", range(6))
def test_a_build_that_was_interrupted_while_placing_is_done_again(
    build: Build, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Package, bill and statement belong together, also those of the sub-package."""
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
        for module, name in ((placement, "place"), (placement, "place_text"), (statement, "write")):
            patched.setattr(module, name, interrupted(getattr(module, name)))
        with pytest.raises(KeyboardInterrupt):
            build()
    built = build()

    assert built.fresh
    assert statement.matches(built.rpm)


def test_a_source_package_has_its_files_in_its_bill(
    plan: Plan, workspace: Workspace, checkout: Path, make_dirs: Callable[..., StepDirs]
) -> None:
    """Tarball, patches and spec, as the srpm step leaves them."""
    dirs = make_dirs("fetch", "srpm")
    folder = dirs.folder("srpm")
    names = (f"{plan.name}.spec", "sources/a.tar.gz", f"rpms/{plan.source_name}")
    for file in (folder / name for name in names):
        file.parent.mkdir(exist_ok=True)
        file.write_text(file.name)
    dirs.origin("fetch").write_text(json.dumps(ORIGIN))
    record(dirs, "fetch", "srpm")
    rpm = placement.place_source_package(plan, dirs)

    assert workspace.dist / "el7" / "source" / plan.source_name == rpm
    assert statement.matches(rpm, key=dirs.keys[placement.SOURCE_PACKAGE])
    bill = json.loads(statement.accompanying_files(rpm)[1].read_text())
    assert {"a.tar.gz", f"{plan.name}.spec"} == {
        part["name"] for part in bill["components"] if part["type"] == "file"
    }


def test_debug_information_has_a_folder_of_its_own(
    plan: Plan, workspace: Workspace, checkout: Path, make_dirs: Callable[..., StepDirs]
) -> None:
    """Beside those of the architectures; a second time nothing is placed."""
    dirs = make_dirs("patch", "debuginfo")
    folder = dirs.folder("debuginfo")
    made = folder / "package" / "rpms" / plan.debuginfo.file_name
    for file in (made, folder / "check" / "root" / "a.debug"):
        file.parent.mkdir(parents=True)
        file.write_text(file.name)
    dirs.origin("patch").write_text(json.dumps(ORIGIN))
    record(dirs, "patch", "debuginfo")
    rpm = placement.place_debuginfo(plan, dirs)
    first = rpm.stat().st_ino

    assert workspace.dist / "el7" / "x86_64-debug" / plan.debuginfo.file_name == rpm
    assert first == placement.place_debuginfo(plan, dirs).stat().st_ino
    assert statement.matches(rpm, key=dirs.keys[placement.DEBUGINFO])
    bill = json.loads(statement.accompanying_files(rpm)[1].read_text())
    assert plan.debuginfo.summary == bill["metadata"]["component"]["description"]
    # The sources of the release are in it.
    assert {"mimalloc", "/a.debug"} <= {part["name"] for part in bill["components"]}


@pytest.mark.parametrize(("variant", "flag"), [("plain", ""), ("secure", " --flavor secure")])
def test_a_package_that_is_not_built(
    plan: Plan, workspace: Workspace, variant: str, flag: str
) -> None:
    """The error has the command that builds it."""
    with pytest.raises(RequestError) as caught:
        placement.existing(replace(plan, variant=variant), workspace)

    command = f"invoke build --version 2.0.6 --dist el7 --arch x86_64{flag}"
    assert command == caught.value.hint
