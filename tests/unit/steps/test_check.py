"""`check`: what the step searches for, what it writes, and what passes."""

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pipeline.checks import package as package_checks
from pipeline.checks import subpackage as subpackage_checks
from pipeline.config import load
from pipeline.inspect import package, payload
from pipeline.model import Facts, Finding, Header, Plan
from pipeline.model.errors import CheckError
from pipeline.smoke import trials
from pipeline.steps import check
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs

# Nothing of the header is read here.
HEADER = cast(Header, None)


@pytest.fixture
def dirs(checkout: Path, make_dirs: Callable[..., StepDirs], plan: Plan) -> StepDirs:
    """The step directories up to this step, with a tree, a spec and files in place of the RPMs."""
    dirs = make_dirs("patch", "package", "check")
    dirs.patched.mkdir()
    (dirs.patched / "os.c").write_text("for linux and others\n")
    (dirs.folder("package") / "mimalloc-custom.spec").write_text("/usr/local/nginx-dep\n")
    dirs.packages.mkdir()
    for name in plan.file_names:
        (dirs.packages / name).write_text("an RPM\n")
    return dirs


@pytest.mark.parametrize(
    ("name", "searched"), [("box-17", True), ("linux", False), ("local", False), ("vm", False)]
)
def test_name_of_the_host_is_searched_for_unless_it_is_in_the_sources(
    monkeypatch: pytest.MonkeyPatch, dirs: StepDirs, name: str, searched: bool
) -> None:
    """A name that the sources or the spec contain would be found in every package."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)

    assert searched == (name in package.names_of_host(dirs))


def test_folders_of_the_build_are_searched_for(
    monkeypatch: pytest.MonkeyPatch, dirs: StepDirs
) -> None:
    """The checkout, the cache and the home; but not the root of all files."""
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    names = set(package.names_of_host(dirs))

    assert {str(dirs.workspace.root), str(dirs.workspace.cache)} <= names
    assert "/" not in names


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Facts]]:
    """Sets the findings of the package; returns the facts that were judged."""

    def set_up(*findings: Finding) -> list[Facts]:
        seen: list[Facts] = []

        def judge(facts: Facts, *_: object) -> list[Finding]:
            seen.append(facts)
            return list(findings)

        facts = Facts("x.rpm", HEADER, None, (), {})
        monkeypatch.setattr(load, "manifests", lambda root, plan: [()] * len(plan.file_names))
        monkeypatch.setattr(package, "read", lambda *_, **__: facts)
        monkeypatch.setattr(payload, "unpack", lambda rpm, folder: payload.root(folder))
        monkeypatch.setattr(package_checks, "check_package", judge)
        monkeypatch.setattr(subpackage_checks, "check_subpackage", lambda *_: [])
        return seen

    return set_up


def test_all_findings_are_reported(
    plan: Plan, dirs: StepDirs, judged: Callable[..., list[Facts]]
) -> None:
    """Each finding is in the message and in the log, and the RPM is where the message says."""
    judged(Finding("modes", "/a", "0644", "0600"), Finding("tls", "/b", "9", "300"))
    with pytest.raises(CheckError, match="2 finding") as caught:
        check.run(plan, dirs, Report())

    lines = ["modes: /a: expected 0644, got 0600", "tls: /b: expected 9, got 300"]
    assert str(dirs.log("check")) in caught.value.hint
    assert lines == caught.value.detail.splitlines()
    assert lines == dirs.log("check").read_text().splitlines()
    assert dirs.packages / f"{plan.nevra}.rpm" == caught.value.file


def test_trials_depend_on_the_flavor(
    plan: Plan, dirs: StepDirs, judged: Callable[..., list[Facts]]
) -> None:
    """The full protection is tried where it is promised, find_package where its files are."""
    seen = judged()
    check.run(plan, dirs, Report())

    assert trials.names(plan) == seen[0].required
    secure = replace(plan, flavor=replace(plan.flavor, level=4, guards="pages"))
    assert (*trials.names(plan), "secure") == trials.names(secure)
    bare = replace(plan, flavor=replace(plan.flavor, omitted=("lib64/cmake/",)))
    assert trials.NAMES == trials.names(bare)
