"""`package`: what is packed, and the sub-package that is packed apart."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.model import Flavor, Plan
from pipeline.steps import package
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import rpmbuild


@dataclass(frozen=True)
class Build:
    """A run of rpmbuild."""

    folder: Path
    text: str
    result: str
    macros: Mapping[str, str]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Build]:
    """The runs of rpmbuild, which writes all packages at once, as the real one does."""
    seen: list[Build] = []

    def run(
        plan: Plan, root: Path, folder: Path, text: str, result: str, macros: Mapping[str, str]
    ) -> Path:
        seen.append(Build(folder, text, result, macros))
        rpm = folder / "rpms" / result
        for name in (*plan.file_names, result):
            rpm.with_name(name).parent.mkdir(parents=True, exist_ok=True)
            rpm.with_name(name).write_text(str(folder))
        return rpm

    monkeypatch.setattr(rpmbuild, "run", run)
    return seen


def test_staged_files_are_packed(plan: Plan, staged: StepDirs, builds: list[Build]) -> None:
    """All of them are in the spec, and rpmbuild knows where they are."""
    package.run(replace(plan, flavor=Flavor()), staged, Report())
    (build,) = builds

    assert (staged.folder("package"), f"{plan.nevra}.rpm") == (build.folder, build.result)
    sources = staged.folder("package") / "sources"
    folders = {"staged": str(staged.stage), "staged_license": str(staged.license)}
    assert {**folders, "_sourcedir": str(sources)} == build.macros
    assert '"/usr/local/nginx-dep/lib64/libmimalloc.so.2.0"\n' in build.text


def test_sub_packages_are_packed_for_a_platform_without_a_machine(
    plan: Plan, real_plan: Plan, staged: StepDirs, builds: list[Build]
) -> None:
    """They replace those that were packed with the package; their files are its sources."""
    plan = replace(plan, flavor=real_plan.flavor)
    package.run(plan, staged, Report())
    main, other = sorted(builds, key=lambda build: build.folder)

    assert "noarch-redhat-linux-gnu" == other.macros["_target_platform"]
    assert "_target_platform" not in main.macros
    assert main.text == other.text
    assert str(main.folder) == (staged.packages / plan.file_name).read_text()
    assert 3 == len(plan.file_names)
    for name in plan.file_names[1:]:
        assert str(other.folder) == (staged.packages / name).read_text()
    sources = {file.name for file in (staged.folder("package") / "sources").iterdir()}
    files = (file for subpackage in plan.subpackages for file in subpackage.file)
    assert {Path(file.path).name for file in files} == sources
