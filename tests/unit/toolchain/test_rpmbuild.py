"""`rpmbuild`: its version, and the settings that it is run with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.model import Plan
from pipeline.model.errors import HostError, PackageError
from pipeline.system import process
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import rpmbuild, spec

Calls = list[tuple[list[str], dict[str, object]]]


@pytest.fixture
def folder(staged: StepDirs) -> Path:
    """The folder that rpmbuild works in, which does not exist yet."""
    return staged.folder("package") / "subpackage"


@pytest.fixture
def root(staged: StepDirs) -> Path:
    """The checkout."""
    return staged.workspace.root


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The command lines of rpmbuild, with their environments; its RPM is written at once."""
    seen: Calls = []

    def run(argv: list[object], **options: object) -> None:
        seen.append(([str(word) for word in argv], options))
        spec = Path(str(argv[-1]))
        (spec.parent / "rpms").mkdir()
        (spec.parent / "rpms" / "x.rpm").touch()

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process, "read", lambda *_, **__: "/usr/lib/rpm\n")
    return seen


def _build(plan: Plan, root: Path, folder: Path, result: str = "x.rpm", **macros: str) -> Path:
    return rpmbuild.run(plan, root, folder, "Name: x\n", result, macros)


def _macros(folder: Path) -> dict[str, str]:
    lines = (folder / "macros").read_text().splitlines()
    return dict(line.removeprefix("%").split(" ", 1) for line in lines)


def test_rpmbuild_gets_all_that_it_reads(
    plan: Plan, folder: Path, root: Path, calls: Calls
) -> None:
    """Neither the user's nor the host's macro files are read, and ours come last."""
    rpm = _build(plan, root, folder)
    ((argv, options),) = calls
    macros = argv[argv.index("--macros") + 1].split(":")

    assert folder / "rpms" / "x.rpm" == rpm
    assert ["rpmbuild", "-bb"] == argv[:2]
    assert "x86_64" == argv[argv.index("--target") + 1]
    assert "prebuilt" == argv[argv.index("--with") + 1]
    assert ["/usr/lib/rpm/macros", "/usr/lib/rpm/platform/x86_64-linux/macros"] == macros[:2]
    assert "macros" == macros[-1]
    assert {name for name in macros if name.startswith("fileattrs/")} == {
        f"fileattrs/{file.name}" for file in (root / rpmbuild.ATTRIBUTES).iterdir()
    }
    assert options["env"] == {
        "HOME": str(folder),
        "SOURCE_DATE_EPOCH": str(int(plan.recipe.released.timestamp())),
    }
    assert isinstance(options["error"], PackageError)


def test_spec_has_the_mode_and_the_time_of_the_release(
    plan: Plan, folder: Path, root: Path, calls: Calls
) -> None:
    """A source package contains it, whatever the umask and the clock are."""
    _build(plan, root, folder)
    spec = Path(calls[0][0][-1])

    assert (folder / "mimalloc-custom.spec", "Name: x\n") == (spec, spec.read_text())
    assert (0o644, plan.recipe.moment) == (spec.stat().st_mode & 0o777, int(spec.stat().st_mtime))


@pytest.mark.usefixtures("calls")
def test_macros_are_ours_and_the_build_roots(plan: Plan, folder: Path, root: Path) -> None:
    """The package's settings, then the dist's, then those of the run, which override them."""
    rpm_of_dist = replace(plan.root.rpm, macros={"debug_package": "mine", "_x": "w9.xzdio"})
    plan = replace(plan, root=replace(plan.root, rpm=rpm_of_dist))
    _build(plan, root, folder, vendor="other")
    macros = _macros(folder)

    assert ("mine", "w9.xzdio") == (macros["debug_package"], macros["_x"])
    assert plan.package.build_host == macros["_buildhost"]
    assert "other" == macros["vendor"]
    assert str(folder / "rpms") == macros["_rpmdir"] == macros["_srcrpmdir"]
    for name in ("_topdir", "_tmppath", "_dbpath", "_fileattrsdir"):
        assert Path(macros[name]).is_relative_to(folder)


@pytest.mark.usefixtures("calls")
def test_percent_in_a_folders_name_is_no_macro(plan: Plan, folder: Path, root: Path) -> None:
    """A checkout may be called `100%{dist}`."""
    odd = folder.parent / "100%{dist}"
    _build(plan, root, odd, staged=str(odd))

    assert str(odd / "rpms").replace("%", "%%") == _macros(odd)["_rpmdir"]
    assert str(odd).replace("%", "%%") == _macros(odd)["staged"]


@pytest.mark.parametrize(
    ("dist", "arch"),
    [("el7", "x86_64"), ("el10", "x86_64"), ("el7", "aarch64"), ("el10", "aarch64")],
)
def test_rpm_knows_the_kinds_of_processors(
    project: Path, folder: Path, root: Path, calls: Calls, dist: str, arch: str
) -> None:
    """Nothing is added to its own rpmrc file."""
    _build(selection.plan(project, "2.0.6", dist, arch), root, folder)
    ((argv, _),) = calls

    assert "/usr/lib/rpm/rpmrc:rpmrc" == argv[argv.index("--rcfile") + 1]
    assert "" == (folder / "rpmrc").read_text()
    assert arch == argv[argv.index("--target") + 1]


def test_architecture_that_rpm_may_not_know(
    project: Path, folder: Path, root: Path, calls: Calls
) -> None:
    """An rpm before 4.19 treats x86_64_v2 as x86_64: number, colour and macros."""
    plan = selection.plan(project, "2.0.6", "el10", "x86_64_v2")
    _build(plan, root, folder)
    ((argv, _),) = calls

    assert [
        "arch_canon: x86_64_v2: x86_64 1",
        "buildarchtranslate: x86_64_v2: x86_64",
        "arch_compat: x86_64_v2: x86_64 noarch",
        "buildarch_compat: x86_64: x86_64_v2",
        "buildarch_compat: x86_64_v2: noarch",
        "archcolor: x86_64_v2 2",
    ] == (folder / "rpmrc").read_text().splitlines()
    assert "x86_64_v2" == argv[argv.index("--target") + 1]
    assert "/usr/lib/rpm/platform/x86_64-linux/macros" in argv[argv.index("--macros") + 1]
    assert "x86_64_v2-redhat-linux-gnu" == _macros(folder)["_target_platform"]


def test_rpmbuild_that_writes_nothing(plan: Plan, folder: Path, root: Path, calls: Calls) -> None:
    """A wrapper may exit with 0 and not have done anything."""
    with pytest.raises(PackageError, match=r"rpmbuild has not written y\.rpm") as caught:
        _build(plan, root, folder, "y.rpm")

    assert folder / "log" == caught.value.file
    assert 1 == len(calls)


@pytest.fixture
def no_cache() -> Iterator[None]:
    """Clears the cached version, before a test and after it."""
    rpmbuild.version.cache_clear()
    yield
    rpmbuild.version.cache_clear()


@pytest.mark.usefixtures("no_cache")
def test_rpmbuild_prints_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the last word; without one, it is no rpmbuild."""
    monkeypatch.setattr(process, "read", lambda *_, **__: "RPM version 4.18.0\n")
    assert "4.18.0" == rpmbuild.version()

    rpmbuild.version.cache_clear()
    monkeypatch.setattr(process, "read", lambda *_, **__: "\n")
    with pytest.raises(HostError, match="does not print its version"):
        rpmbuild.version()


@pytest.mark.usefixtures("no_cache")
def test_host_without_rpmbuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing program is named, and how to see what else is missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="rpmbuild cannot be started") as caught:
        rpmbuild.version()

    assert "invoke doctor" == caught.value.hint


@pytest.mark.usefixtures("rpmbuild")
def test_a_package_depends_on_the_files_of_its_sub_packages(
    real_plan: Plan, checkout: Path
) -> None:
    """Each of them, whatever it is called, and the script that generates the drop-in."""
    files = spec.sources(real_plan, checkout)
    assert checkout / spec.TOOL in files
    assert 3 <= len(set(files))
    for file in files:
        before = rpmbuild.inputs(real_plan, checkout)
        file.write_text(file.read_text() + "# changed\n")
        assert before != rpmbuild.inputs(real_plan, checkout), file
