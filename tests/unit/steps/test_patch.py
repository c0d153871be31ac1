"""`patch`: our changes, exactly as pinned, exactly where they belong."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.model import Patch, Plan
from pipeline.model.errors import HostError, PatchError
from pipeline.steps import patch
from pipeline.system.checksum import identity_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, remove
from tests.unit import release

Pin = Callable[..., Plan]


@pytest.fixture
def dirs(make_dirs: Callable[..., StepDirs]) -> StepDirs:
    """The step directories up to this step: the tiny release is unpacked."""
    dirs = make_dirs("fetch", "unpack", "patch")
    release.unfold(dirs.tree, release.TREE)
    dirs.origin("fetch").write_text('{"kind": "url"}\n')
    return dirs


@pytest.fixture
def pin(plan: Plan, workspace: Workspace) -> Pin:
    """Writes patches into the scratch checkout, and pins the plan to them."""

    def make(*texts: str) -> Plan:
        pinned = []
        for number, text in enumerate(texts, 1):
            file = workspace.root / "patches" / "2.0.6" / f"000{number}-change.patch"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            pinned.append(Patch(file.name, sha256(text.encode()).hexdigest(), "why"))
        return release.recast(plan, patch=tuple(pinned))

    return make


def _run(plan: Plan, dirs: StepDirs) -> str:
    """The step in an empty directory; returns the text of the changed file."""
    remove(dirs.folder("patch"))
    dirs.folder("patch").mkdir()
    patch.run(plan, dirs, Report())
    return (dirs.patched / "src" / "alloc.c").read_text()


def test_patch_is_applied_to_a_copy(pin: Pin, dirs: StepDirs) -> None:
    """The unpacked tree stays as upstream tagged it, and no backup files are left."""
    text = _run(pin(release.CHANGE), dirs)

    assert release.ALLOC.replace("int line_10;", "int changed;") == text
    assert release.identity() == identity_of(dirs.tree)
    assert {file.name for file in dirs.tree.rglob("*")} == {
        file.name for file in dirs.patched.rglob("*")
    }


def test_release_without_patches_is_copied(plan: Plan, dirs: StepDirs) -> None:
    """The tree is the same, and the note of its origin is copied."""
    assert release.ALLOC == _run(plan, dirs)
    assert dirs.origin("fetch").read_text() == dirs.origin("patch").read_text()


def test_patches_are_applied_in_order(pin: Pin, dirs: StepDirs) -> None:
    """The second builds on the first."""
    second = release.CHANGE.replace("-int line_10;", "-int changed;").replace(
        "+int changed;", "+int changed_again;"
    )

    assert "int changed_again;\n" in _run(pin(release.CHANGE, second), dirs)


def test_hunk_may_have_moved(pin: Pin, dirs: StepDirs) -> None:
    """Lines that are elsewhere, with all of their context, are found."""
    moved = release.CHANGE.replace("@@ -7,7 +7,7 @@", "@@ -3,7 +3,7 @@")

    assert "int changed;\n" in _run(pin(moved), dirs)


@pytest.mark.parametrize(
    "text",
    [
        release.CHANGE.replace(" int line_7;", " int other;"),
        release.CHANGE.replace("-int line_10;", "-int nothing;"),
        release.CHANGE.replace("alloc.c", "missing.c"),
        release.CHANGE.replace("src/alloc.c", "../../../alloc.c"),
        "Why: an empty patch.\n",
    ],
    ids=["fuzz", "another line", "another file", "a file outside", "no patch"],
)
def test_patch_that_does_not_apply(pin: Pin, dirs: StepDirs, text: str) -> None:
    """No line of context may differ; the error has the log, its last lines and what to do."""
    with pytest.raises(PatchError) as caught:
        _run(pin(text), dirs)

    problem = caught.value
    assert "0001-change.patch does not apply to mimalloc 2.0.6" == problem.what
    assert dirs.log("patch") == problem.file
    assert problem.detail != ""
    assert f"rewrite 0001-change.patch for the tree in {dirs.tree}" == problem.hint
    assert 23 == problem.exit_code
    assert release.identity() == identity_of(dirs.tree)
    assert "int changed;\n" in _run(pin(release.CHANGE), dirs)


def test_patch_that_has_been_applied(pin: Pin, dirs: StepDirs) -> None:
    """A patch that upstream has applied is not reverted."""
    with pytest.raises(PatchError, match=r"0002-change\.patch does not apply"):
        _run(pin(release.CHANGE, release.CHANGE), dirs)

    assert "int changed;\n" in (dirs.patched / "src" / "alloc.c").read_text()


def test_patch_of_another_checksum(pin: Pin, dirs: StepDirs) -> None:
    """An edited patch is not applied before its checksum is in the recipe."""
    plan = pin(release.CHANGE)
    file = dirs.workspace.root / "patches" / "2.0.6" / plan.recipe.patch[0].file
    file.write_text(release.CHANGE + "\n")
    with pytest.raises(PatchError) as caught:
        _run(plan, dirs)

    problem = caught.value
    assert "0001-change.patch is not the one that the recipe pins" == problem.what
    assert f"sha256 {plan.recipe.patch[0].sha256}" == problem.expected
    assert f"sha256 {sha256(file.read_bytes()).hexdigest()}" == problem.got
    assert (file, "restore it, or pin the new one in the recipe") == (problem.file, problem.hint)
    assert release.ALLOC == (dirs.patched / "src" / "alloc.c").read_text()


def test_patch_that_is_missing(pin: Pin, dirs: StepDirs) -> None:
    """The file is named, and what to do about it."""
    plan = pin(release.CHANGE)
    file = dirs.workspace.root / "patches" / "2.0.6" / plan.recipe.patch[0].file
    file.unlink()
    with pytest.raises(PatchError) as caught:
        _run(plan, dirs)

    assert ("no such patch", file) == (caught.value.what, caught.value.file)
    assert "recipe" in caught.value.hint


def test_host_without_patch(pin: Pin, dirs: StepDirs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is not reported as a patch that fails."""
    monkeypatch.setenv("PATH", os.fspath(dirs.workspace.root))
    with pytest.raises(HostError, match="patch cannot be started") as caught:
        _run(pin(release.CHANGE), dirs)

    assert "invoke doctor" == caught.value.hint


def test_log_has_the_command(pin: Pin, dirs: StepDirs) -> None:
    """It can be repeated by hand."""
    plan = pin(release.CHANGE)
    _run(plan, dirs)
    file = dirs.workspace.root / "patches" / "2.0.6" / plan.recipe.patch[0].file

    assert (
        f"$ patch --strip=1 --fuzz=0 --force --no-backup-if-mismatch -i {file}"
        == dirs.log("patch").read_text().splitlines()[0]
    )


def test_real_patches_open_with_their_reasons(project: Path) -> None:
    """Why, where upstream stands, and when to drop it: in this order, before the first hunk."""
    for file in (project / "patches").rglob("*.patch"):
        head = file.read_text().partition("\n--- ")[0]
        places = [head.find(word) for word in ("Why:", "\nUpstream:", "\nDrop when:")]
        assert [0, *sorted(places[1:])] == places, file
        assert -1 not in places, file
