"""`patch`: our changes, exactly as pinned, exactly where they belong."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline import patch
from pipeline.checksum import identity_of
from pipeline.errors import HostError, PatchError
from pipeline.model import Patch, Plan
from pipeline.report import Report
from pipeline.workspace import Site, Workspace, remove
from tests.unit import release

Pin = Callable[..., Plan]


@pytest.fixture
def site(room: Callable[..., Site]) -> Site:
    """The rooms up to this step: the tiny release is unpacked."""
    site = room("fetch", "unpack", "patch")
    release.unfold(site.tree, release.TREE)
    site.fetched.write_text('{"kind": "url"}\n')
    return site


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


def _run(plan: Plan, site: Site) -> str:
    """The step in an empty room; the answer is the text of the changed file."""
    remove(site.room("patch"))
    site.room("patch").mkdir()
    patch.run(plan, site, Report())
    return (site.patched / "src" / "alloc.c").read_text()


def test_patch_is_applied_to_a_copy(pin: Pin, site: Site) -> None:
    """The unpacked tree stays as upstream tagged it, and no backup files are left."""
    text = _run(pin(release.CHANGE), site)

    assert release.ALLOC.replace("int line_10;", "int changed;") == text
    assert release.identity() == identity_of(site.tree)
    assert {file.name for file in site.tree.rglob("*")} == {
        file.name for file in site.patched.rglob("*")
    }


def test_release_without_patches_is_copied(plan: Plan, site: Site) -> None:
    """Where nothing is to be changed the tree is the same, and the note of its origin goes on."""
    assert release.ALLOC == _run(plan, site)
    assert site.fetched.read_text() == site.origin.read_text()


def test_patches_are_applied_in_order(pin: Pin, site: Site) -> None:
    """The second builds on the first."""
    second = release.CHANGE.replace("-int line_10;", "-int changed;").replace(
        "+int changed;", "+int changed_again;"
    )

    assert "int changed_again;\n" in _run(pin(release.CHANGE, second), site)


def test_hunk_may_have_moved(pin: Pin, site: Site) -> None:
    """Lines that are elsewhere, with all of their context, are found."""
    moved = release.CHANGE.replace("@@ -7,7 +7,7 @@", "@@ -3,7 +3,7 @@")

    assert "int changed;\n" in _run(pin(moved), site)


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
def test_patch_that_does_not_apply(pin: Pin, site: Site, text: str) -> None:
    """No line of context may differ; the error has the log, its last lines and what to do."""
    with pytest.raises(PatchError) as caught:
        _run(pin(text), site)

    problem = caught.value
    assert "0001-change.patch does not apply to mimalloc 2.0.6" == problem.what
    assert site.log("patch") == problem.file
    assert problem.detail != ""
    assert f"write 0001-change.patch anew against the tree in {site.tree}" == problem.hint
    assert 23 == problem.exit_code
    assert release.identity() == identity_of(site.tree)
    assert "int changed;\n" in _run(pin(release.CHANGE), site)


def test_patch_that_has_been_applied(pin: Pin, site: Site) -> None:
    """A patch that upstream has taken is not taken back."""
    with pytest.raises(PatchError, match=r"0002-change\.patch does not apply"):
        _run(pin(release.CHANGE, release.CHANGE), site)

    assert "int changed;\n" in (site.patched / "src" / "alloc.c").read_text()


def test_patch_of_another_checksum(pin: Pin, site: Site) -> None:
    """An edited patch is not applied before the recipe says so."""
    plan = pin(release.CHANGE)
    file = patch.files(site.workspace.root, plan)[0]
    file.write_text(release.CHANGE + "\n")
    with pytest.raises(PatchError) as caught:
        _run(plan, site)

    problem = caught.value
    assert "0001-change.patch is not the one that the recipe pins" == problem.what
    assert f"sha256 {plan.recipe.patch[0].sha256}" == problem.expected
    assert f"sha256 {sha256(file.read_bytes()).hexdigest()}" == problem.got
    assert (file, "restore it, or pin the new one in the recipe") == (problem.file, problem.hint)
    assert release.ALLOC == (site.patched / "src" / "alloc.c").read_text()


def test_patch_that_is_missing(pin: Pin, site: Site) -> None:
    """The file is named, and what to do about it."""
    plan = pin(release.CHANGE)
    file = patch.files(site.workspace.root, plan)[0]
    file.unlink()
    with pytest.raises(PatchError) as caught:
        _run(plan, site)

    assert ("no such patch", file) == (caught.value.what, caught.value.file)
    assert "recipe" in caught.value.hint


def test_host_without_patch(pin: Pin, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is not taken for a patch that fails."""
    monkeypatch.setenv("PATH", os.fspath(site.workspace.root))
    with pytest.raises(HostError, match="patch cannot be started") as caught:
        _run(pin(release.CHANGE), site)

    assert "invoke doctor" == caught.value.hint


def test_log_has_the_command(pin: Pin, site: Site) -> None:
    """What was done can be done again by hand."""
    plan = pin(release.CHANGE)
    _run(plan, site)
    file = patch.files(site.workspace.root, plan)[0]

    assert (
        f"$ patch --strip=1 --fuzz=0 --force --no-backup-if-mismatch -i {file}"
        == site.log("patch").read_text().splitlines()[0]
    )


def test_real_patches_open_with_their_reasons(project: Path) -> None:
    """Why, where upstream stands, and when to drop it: in this order, before the first hunk."""
    for file in (project / "patches").rglob("*.patch"):
        head = file.read_text().partition("\n--- ")[0]
        places = [head.find(word) for word in ("Why:", "\nUpstream:", "\nDrop when:")]
        assert [0, *sorted(places[1:])] == places, file
        assert -1 not in places, file
