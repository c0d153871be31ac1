"""A patch out of a changed tree: its opening lines, its checksum, its line in the documents."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.bump import edit, trial_build
from pipeline.bump.edit import Request
from pipeline.config import load
from pipeline.model.errors import BumpError, PatchError, RequestError
from tests.unit.bump.conftest import OLD

WHY = "allocations were not counted"
NAME = "0001-count-allocations.patch"

Status = Callable[[], str]
Edit = Callable[..., None]


@pytest.fixture
def tree(root: Path) -> Path:
    """The tree that is changed."""
    return root / "work" / "v1" / "edit" / OLD / "tree"


@pytest.fixture
def run(root: Path, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Lays out the tree of a release, or makes a patch; the tree is not fetched, but made."""
    patched = tmp_path / "patched"
    (patched / "src").mkdir(parents=True)
    (patched / "src" / "alloc.c").write_text("int a;\nint b;\n")
    (patched / "src" / "end.h").write_text("#define NO_END")
    dirs = SimpleNamespace(patched=patched)
    monkeypatch.setattr(trial_build, "run_step", lambda *_: dirs)
    monkeypatch.setattr(trial_build, "apply_patches", lambda _: None)
    (root / "docs").mkdir()
    shutil.copyfile(project / "docs" / "library.md", root / "docs" / "library.md")

    def run(**flags: str) -> None:
        edit.run(root, Request(OLD, **flags))  # type: ignore[arg-type]

    return run


def test_a_changed_tree_becomes_a_patch(root: Path, run: Edit, tree: Path) -> None:
    """With its checksum in the recipe and its line in the list; the tree is gone then."""
    run()
    (tree / "src" / "alloc.c").write_text("int a;\nint count;\n")
    run()  # the change stays
    run(slug="count-allocations", why=WHY, test="sparse")

    (patch,) = load.recipe(root, OLD).patch
    assert (NAME, WHY, "sparse") == (patch.file, patch.why, patch.test)
    text = load.patch_file(root, load.recipe(root, OLD), patch).read_text()
    assert [f"Why: {WHY}", "Upstream: Not reported yet. This patch is our own."] == [
        line for line in text.splitlines() if line.startswith(("Why", "Upstream"))
    ]
    assert "\nDrop when: The trial `sparse` passes without it.\n\n--- a/src/alloc.c\n" in text
    row = f"- [{NAME}](../patches/{OLD}/{NAME}): {WHY}\n\n### 2.4.1\n"
    assert row in (root / "docs" / "library.md").read_text()
    assert not tree.exists()


def test_the_next_patch_comes_after_it(root: Path, run: Edit, tree: Path) -> None:
    """With the next number, in the recipe and in the folder."""
    for number, slug in enumerate(("one", "two"), start=1):
        run()
        (tree / "src" / "alloc.c").write_text(f"int {slug};\n")
        run(slug=slug, why=WHY)
        assert f"{number:04}-{slug}.patch" == load.recipe(root, OLD).patch[-1].file

    assert 2 == len(load.recipe(root, OLD).patch)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ({"slug": "Up", "why": WHY}, "--slug"),
        ({"slug": "../x", "why": WHY}, "--slug"),
        ({"slug": "x", "why": " "}, "--why"),
        ({"slug": "x", "why": WHY}, "nothing has changed"),
    ],
)
def test_what_makes_no_patch_is_refused(
    run: Edit, status: Status, flags: dict[str, str], what: str
) -> None:
    """And nothing is written."""
    run()
    before = status()
    with pytest.raises(RequestError, match=what):
        run(**flags)

    assert before == status()


def test_a_patch_that_does_not_apply_leaves_nothing(
    run: Edit, status: Status, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changed tree stays."""

    def fail(_: object) -> None:
        raise BumpError("does not apply")

    run()
    (tree / "src" / "alloc.c").write_text("int count;\n")
    before = status()
    monkeypatch.setattr(trial_build, "apply_patches", fail)
    with pytest.raises(BumpError):
        run(slug="x", why=WHY)

    assert before == status()
    assert tree.is_dir()


def test_the_difference_is_what_patch_reads(tmp_path: Path) -> None:
    """Changed, new and removed files, with line ends of all kinds, and none at the end."""
    before, after = tmp_path / "before", tmp_path / "after"
    trees = {
        before: {"a.c": b"1\n2\n3", "form.c": b"a\x0cb\r\nc\n", "gone/x.h": b"x\n"},
        after: {"a.c": b"1\n2\n4\n", "form.c": b"a\x0cb\r\nd\n", "new/y.h": b"y"},
    }
    for top, files in trees.items():
        for name, content in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(content)
    text = "Why: x\n\n" + "".join(edit.difference(before, after))
    (tmp_path / "x.patch").write_bytes(text.encode())
    command = [
        "patch",
        "--strip=1",
        "--fuzz=0",
        "--force",
        "--binary",
        "-i",
        str(tmp_path / "x.patch"),
    ]
    subprocess.run(command, cwd=before, check=True, capture_output=True)

    assert trees[after] == {
        str(file.relative_to(before)): file.read_bytes()
        for file in before.rglob("*")
        if file.is_file()
    }


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """With the file."""
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    (tmp_path / "after" / "x").write_bytes(b"\xff")
    with pytest.raises(PatchError) as caught:
        list(edit.difference(tmp_path / "before", tmp_path / "after"))

    assert tmp_path / "after" / "x" == caught.value.file
