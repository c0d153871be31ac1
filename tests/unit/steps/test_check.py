"""`check`: what the step looks for, what it writes down, and what it lets pass."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import checks, inspect
from pipeline.config import load
from pipeline.inspect import payload
from pipeline.model import Facts, Finding, Header, Plan
from pipeline.model.errors import CheckError
from pipeline.steps import check
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs

HEADER = Header({}, (), (), {}, (), ())


@pytest.fixture
def dirs(folder: Callable[..., StepDirs], plan: Plan) -> StepDirs:
    """The rooms up to this step, with a tree, a spec and an RPM that is none."""
    dirs = folder("patch", "package", "check")
    dirs.patched.mkdir()
    (dirs.patched / "os.c").write_text("for linux and others\n")
    (dirs.folder("package") / "mimalloc-custom.spec").write_text("/usr/local/nginx-dep\n")
    dirs.packages.mkdir()
    for name in plan.file_names:
        (dirs.packages / name).write_text("an RPM\n")
    return dirs


@pytest.mark.parametrize(
    ("name", "told"), [("box-17", True), ("linux", False), ("local", False), ("vm", False)]
)
def test_name_of_the_host_is_looked_for_unless_it_is_a_word_of_ours(
    monkeypatch: pytest.MonkeyPatch, dirs: StepDirs, name: str, told: bool
) -> None:
    """A host that is called as the sources or the spec have it would find itself everywhere."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)

    assert told == (name in check.host_words(dirs))


def test_folders_of_the_build_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, dirs: StepDirs
) -> None:
    """The checkout, the cache and the home; but not the root of all files."""
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    words = set(check.host_words(dirs))

    assert {str(dirs.workspace.root), str(dirs.workspace.cache)} <= words
    assert "/" not in words


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Facts]]:
    """Lets the judgement be what it is told to be; the answer is what was judged."""

    def set_up(*findings: Finding) -> list[Facts]:
        seen: list[Facts] = []

        def judge(found: Facts, *_: object) -> list[Finding]:
            seen.append(found)
            return list(findings)

        nothing = Facts("x.rpm", (), HEADER, None, (), {})
        monkeypatch.setattr(load, "manifest", lambda *_: ())
        monkeypatch.setattr(load, "switch_manifest", lambda *_: ())
        monkeypatch.setattr(inspect, "gather", lambda *_, **__: nothing)
        monkeypatch.setattr(inspect, "read", lambda *_, **__: nothing)
        monkeypatch.setattr(payload, "unpack", lambda rpm, folder: payload.root(folder))
        monkeypatch.setattr(checks, "judge", judge)
        monkeypatch.setattr(checks, "judge_switch", lambda *_: [])
        return seen

    return set_up


def test_findings_are_all_told(
    plan: Plan, dirs: StepDirs, judged: Callable[..., list[Facts]]
) -> None:
    """Each finding is in the message and in the log, and the RPM is where the message says."""
    judged(Finding("modes", "/a", "0644", "0600"), Finding("tls", "/b", "9", "300"))
    with pytest.raises(CheckError, match="2 finding") as caught:
        check.run(plan, dirs, Report())

    lines = ["modes: /a: expected 0644, got 0600", "tls: /b: expected 9, got 300"]
    assert lines == caught.value.detail.splitlines()
    assert lines == dirs.log("check").read_text().splitlines()
    assert dirs.packages / f"{plan.nevra}.rpm" == caught.value.file
    assert not dirs.checked.exists()


def test_good_package_is_known_by_its_checksum(
    plan: Plan, dirs: StepDirs, judged: Callable[..., list[Facts]]
) -> None:
    """What passed is written down, so that nothing else can take its place."""
    seen = judged()
    check.run(plan, dirs, Report())

    lines = [f"{sha256_of(dirs.packages / name)}  {name}" for name in plan.file_names]
    assert lines == dirs.checked.read_text().splitlines()
    assert ("aligned", "archive", "object") == seen[0].required
