"""`rpm` and `rpmbuild`: what is packed, and the settings that it is packed with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.model import Flavor, Plan
from pipeline.model.errors import HostError, PackageError
from pipeline.steps import package
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import rpmbuild


@pytest.fixture
def both(plan: Plan, real_plan: Plan) -> Plan:
    """A plan that makes a sub-package, too."""
    return replace(plan, flavor=real_plan.flavor)


@pytest.fixture
def plan(plan: Plan) -> Plan:
    """A plan that makes one package."""
    return alone(plan)


def alone(plan: Plan) -> Plan:
    """The same without a sub-package."""
    return replace(plan, flavor=Flavor())


@pytest.fixture
def dirs(staged: StepDirs) -> StepDirs:
    """The rooms up to this step."""
    return staged


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, object]]]:
    """What rpmbuild is asked, with its environment; it is not run."""
    seen: list[tuple[list[str], dict[str, object]]] = []

    def run(argv: list[object], **how: object) -> None:
        seen.append(([str(word) for word in argv], how))

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process, "read", lambda *_, **__: "/usr/lib/rpm\n")
    monkeypatch.setattr(package, "_there", lambda file, log: file)
    return seen


def _macros(dirs: StepDirs) -> dict[str, str]:
    lines = (dirs.folder("package") / "macros").read_text().splitlines()
    return dict(line.removeprefix("%").split(" ", 1) for line in lines)


def test_rpmbuild_is_given_all_it_reads(
    plan: Plan, dirs: StepDirs, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """Neither the user's nor the host's macro files are read, and ours come last."""
    package.run(plan, dirs, Report())
    ((argv, how),) = calls
    read = argv[argv.index("--macros") + 1].split(":")

    assert ["rpmbuild", "-bb"] == argv[:2]
    assert "x86_64" == argv[argv.index("--target") + 1]
    assert "prebuilt" == argv[argv.index("--with") + 1]
    assert ["/usr/lib/rpm/macros", "/usr/lib/rpm/platform/x86_64-linux/macros"] == read[:2]
    assert "macros" == read[-1]
    assert {name for name in read if name.startswith("fileattrs/")} == {
        f"fileattrs/{file.name}" for file in (dirs.workspace.root / rpmbuild.ATTRIBUTES).iterdir()
    }
    assert how["env"] == {
        "HOME": str(dirs.folder("package")),
        "SOURCE_DATE_EPOCH": str(int(plan.recipe.released.timestamp())),
    }
    assert PackageError is how["error"]


def test_macros_are_ours_and_the_build_roots(
    plan: Plan, dirs: StepDirs, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """Places in the room, the package's settings, then the dist's, which overrule them."""
    rpm_of_dist = replace(plan.root.rpm, macros={"debug_package": "mine", "_x": "w9.xzdio"})
    package.run(replace(plan, root=replace(plan.root, rpm=rpm_of_dist)), dirs, Report())
    found = _macros(dirs)

    assert (str(dirs.packages), str(dirs.stage)) == (found["_rpmdir"], found["staged"])
    assert ("mine", "w9.xzdio") == (found["debug_package"], found["_x"])
    assert plan.package.build_host == found["_buildhost"]
    for name in ("_topdir", "_tmppath", "_dbpath", "_fileattrsdir"):
        assert Path(found[name]).is_relative_to(dirs.folder("package"))
    assert len(calls) == 1


def test_percent_in_a_folders_name_is_no_macro(
    plan: Plan, dirs: StepDirs, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """A checkout may be called `100%{dist}`."""
    odd = dirs.workspace.root.parent / "100%{dist}"
    dirs.workspace.root.rename(odd)
    moved = replace(dirs, workspace=replace(dirs.workspace, root=odd))
    package.run(plan, moved, Report())

    assert str(moved.packages).replace("%", "%%") == _macros(moved)["_rpmdir"]
    assert len(calls) == 1


def _architectures(dirs: StepDirs, argv: list[str]) -> list[str]:
    """What rpmbuild is told of architectures, after what its own file tells."""
    own, ours = argv[argv.index("--rcfile") + 1].split(":")
    assert "/usr/lib/rpm/rpmrc" == own
    return (dirs.folder("package") / ours).read_text().splitlines()


@pytest.mark.parametrize(
    ("dist", "arch"),
    [("el7", "x86_64"), ("el10", "x86_64"), ("el7", "aarch64"), ("el10", "aarch64")],
)
def test_rpm_knows_the_kinds_of_processors_itself(
    project: Path,
    dirs: StepDirs,
    calls: list[tuple[list[str], dict[str, object]]],
    dist: str,
    arch: str,
) -> None:
    """Nothing is added to what its own file says of them."""
    package.run(alone(selection.plan(project, "2.0.6", dist, arch)), dirs, Report())
    ((argv, _),) = calls

    assert [] == _architectures(dirs, argv)
    assert arch == argv[argv.index("--target") + 1]


def test_rpm_is_told_of_an_architecture_that_it_may_not_know(
    project: Path, dirs: StepDirs, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """An rpm before 4.19 takes x86_64_v2 for what x86_64 is: number, colour and macros."""
    package.run(alone(selection.plan(project, "2.0.6", "el10", "x86_64_v2")), dirs, Report())
    ((argv, _),) = calls

    assert [
        "arch_canon: x86_64_v2: x86_64 1",
        "buildarchtranslate: x86_64_v2: x86_64",
        "arch_compat: x86_64_v2: x86_64 noarch",
        "buildarch_compat: x86_64: x86_64_v2",
        "buildarch_compat: x86_64_v2: noarch",
        "archcolor: x86_64_v2 2",
    ] == _architectures(dirs, argv)
    assert "x86_64_v2" == argv[argv.index("--target") + 1]
    assert "/usr/lib/rpm/platform/x86_64-linux/macros" in argv[argv.index("--macros") + 1]
    assert "x86_64_v2-redhat-linux-gnu" == _macros(dirs)["_target_platform"]


@pytest.fixture
def unasked() -> Iterator[None]:
    """Forgets the version that rpmbuild has told, before a test and after it."""
    rpmbuild.version.cache_clear()
    yield
    rpmbuild.version.cache_clear()


@pytest.mark.usefixtures("unasked")
def test_rpmbuild_tells_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word of what it prints is its version."""
    monkeypatch.setattr(process, "read", lambda *_, **__: "RPM version 4.18.0\n")

    assert "4.18.0" == rpmbuild.version()


@pytest.mark.usefixtures("unasked")
def test_host_without_rpmbuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing program is named, and how to see what else is missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="rpmbuild cannot be started") as caught:
        rpmbuild.version()

    assert "invoke doctor" == caught.value.hint


def test_sub_package_is_packed_on_no_machines_platform(
    both: Plan, dirs: StepDirs, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """In a room of its own; it takes the place of the one that was packed with the package."""
    assert both.subpackage
    made = dirs.folder("package") / "switch" / "rpms" / both.subpackage.file_name
    with pytest.raises(FileNotFoundError):  # rpmbuild is not run
        package.run(both, dirs, Report())
    macros = (made.parents[1] / "macros").read_text().splitlines()

    assert 2 == len(calls)
    assert "%_target_platform noarch-redhat-linux-gnu" in macros
    assert both.platform == _macros(dirs)["_target_platform"]


def test_rpmbuild_that_writes_nothing(
    plan: Plan, dirs: StepDirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in its place may end well, and not have done anything."""
    monkeypatch.setattr(process, "run", lambda *_, **__: None)
    monkeypatch.setattr(process, "read", lambda *_, **__: "/usr/lib/rpm\n")
    with pytest.raises(PackageError, match="rpmbuild has not written") as caught:
        package.run(plan, dirs, Report())

    assert dirs.log("package") == caught.value.file


def test_rpmbuild_that_tells_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a program that this host lacks."""
    monkeypatch.setattr(process, "read", lambda *_, **__: "\n")
    rpmbuild.version.cache_clear()
    with pytest.raises(HostError, match="does not tell its version"):
        rpmbuild.version()
    rpmbuild.version.cache_clear()
