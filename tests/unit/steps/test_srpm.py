"""`srpm`: the content of a source package."""

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import PatchError
from pipeline.steps import srpm
from pipeline.system import process
from pipeline.system.checksum import identity_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from tests.unit import release

MOMENT = 1_649_980_444


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree."""
    folder = tmp_path / "tree"
    for name in ("CMakeLists.txt", "src/alloc.c", "include/mimalloc.h"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


def test_archive_is_the_tree(tree: Path, tmp_path: Path) -> None:
    """Unpacked, it has the same identity; all is root's, and as old as the release."""
    archive = tmp_path / "mimalloc-1.tar.gz"
    srpm._pack(tree, archive, MOMENT)
    with tarfile.open(archive) as tar:
        entries = tar.getmembers()

    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path / "out"], check=True)

    assert identity_of(tree) == identity_of(tmp_path / "out" / "mimalloc-1")
    assert {("root", "root", 0, 0, MOMENT)} == {
        (entry.uname, entry.gname, entry.uid, entry.gid, entry.mtime) for entry in entries
    }
    assert {0o755} == {entry.mode for entry in entries if entry.isdir()}
    assert {0o644} == {entry.mode for entry in entries if entry.isreg()}


def test_archive_is_the_same_anywhere(tree: Path, tmp_path: Path) -> None:
    """Whatever the names of the folders, the modes and the times of the files."""
    sums = set()
    for number in range(2):
        archive = tmp_path / f"{number}" / "mimalloc-1.tar.gz"
        archive.parent.mkdir()
        srpm._pack(tree, archive, MOMENT)
        sums.add(hashlib.sha256(archive.read_bytes()).hexdigest())
        (tree / "src" / "alloc.c").chmod(0o600)
        os.utime(tree / "CMakeLists.txt", (1, 1))
        tree = tree.rename(tmp_path / "elsewhere")

    assert 1 == len(sums)


@pytest.mark.usefixtures("checkout", "rpmbuild")
def test_source_package_has_tree_patches_and_spec(
    plan: Plan,
    project: Path,
    make_dirs: Callable[..., StepDirs],
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of them with one mode and one time, whatever the umask."""
    patches = load.recipe(project, "2.0.6").patch
    plan = release.recast(plan, patch=patches)
    commands: list[list[object]] = []
    monkeypatch.setattr(process, "run", lambda argv, **_: commands.append(argv))
    monkeypatch.setattr(process, "read", lambda *_, **__: "/usr/lib/rpm\n")
    monkeypatch.setattr(load, "manifests", lambda *_: [("/usr/local/nginx-dep/lib64/x",)])
    dirs = make_dirs("unpack", "srpm")
    rpm = dirs.folder("srpm") / "rpms" / plan.source_name
    rpm.parent.mkdir()
    rpm.touch()
    tree.rename(dirs.tree)
    srpm.run(plan, dirs, Report())
    sources, spec_file = dirs.folder("srpm") / "sources", dirs.folder("srpm") / f"{plan.name}.spec"
    files = {file.name: file for file in (spec_file, *sources.iterdir())}

    assert "mimalloc-custom-2.0.6-1.el7.src.rpm" == rpm.name
    assert set(files) == {
        *("mimalloc-2.0.6.tar.gz", "malloc_hooks.c", "mimalloc-custom.spec"),
        *("mimalloc.conf", "mimalloc-custom.conf", "mimalloc-custom", "mimalloc-custom.8"),
        *(patch.file for patch in patches),
    }
    assert {(0o644, plan.recipe.moment)} == {
        (file.stat().st_mode & 0o777, int(file.stat().st_mtime)) for file in files.values()
    }
    ((*start, spec),) = commands
    assert (["rpmbuild", "-bs"], files["mimalloc-custom.spec"]) == (start[:2], spec)
    macros = (dirs.folder("srpm") / "macros").read_text().splitlines()
    assert f"%_sourcedir {dirs.folder('srpm') / 'sources'}" in macros


def test_an_altered_patch_is_not_packed(
    plan: Plan, project: Path, checkout: Path, make_dirs: Callable[..., StepDirs], tree: Path
) -> None:
    """Others build from it, so it must be what the recipe pins."""
    change = load.recipe(project, "2.0.6").patch[0]
    file = checkout / "patches" / "2.0.6" / change.file
    file.write_text(file.read_text() + "\n")
    dirs = make_dirs("unpack", "srpm")
    tree.rename(dirs.tree)
    with pytest.raises(PatchError, match="not the one that the recipe pins"):
        srpm.run(release.recast(plan, patch=(change,)), dirs, Report())
