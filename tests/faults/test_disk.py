"""Full disks, folders that are closed, a cache that somebody has been at: told, and never used.

Disks are small tmpfs, and closed folders read-only mounts, in a mount namespace that ends with
the command.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.build.conftest import Package, untested
from tests.faults import project as projects
from tests.faults.counter import count
from tests.faults.project import BUILD, DIST, REPO, SIGN, VERSION, Project

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
FULL = pytest.mark.full


@pytest.fixture
def apart(as_root: list[str]) -> list[str]:
    """What makes a mount namespace of a command's own."""
    return as_root or ["unshare", "--mount"]


def _small(apart: list[str], folder: Path, size: str, after: Path) -> list[str]:
    """A command on a small disk at a folder, with what is in it; in the end its content is kept."""
    folder.mkdir(exist_ok=True)
    shutil.rmtree(after, ignore_errors=True)
    places = {"folder": folder, "before": f"{after}.before", "after": after, "size": size}
    names = {name: shlex.quote(str(value)) for name, value in places.items()}
    script = (
        "cp -a {folder} {before} && mount -t tmpfs -o size={size} tmpfs {folder} &&"
        " cp -a {before}/. {folder} && rm -r {before} || exit 99;"
        ' "$@"; code=$?; cp -a {folder} {after}; exit $code'
    )
    return [*apart, "sh", "-c", script.format(**names), "sh"]


def _closed(apart: list[str], *folders: Path) -> list[str]:
    """A command for which folders cannot be written to."""
    mounts = [
        f"mount --bind {shlex.quote(str(each))} {shlex.quote(str(each))} &&"
        f" mount -o remount,bind,ro {shlex.quote(str(each))}"
        for each in folders
    ]
    return [*apart, "sh", "-c", f'{" && ".join(mounts)} && exec "$@"', "sh"]


def _is_told_full(code: int, told: str) -> None:
    count("full disks")
    assert (12, True) == (code, "no room left to write" in told), told
    assert "free some space" in told


# --- full ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["64k", "1200k", "2m", "3m", "4m"])
def test_a_full_work_folder(project: Project, apart: list[str], size: str) -> None:
    """Whichever step it is that finds no more room."""
    project.remove_results()
    after = project.folder / "after"
    (project.root / "work").mkdir()

    _is_told_full(
        *project.run(*BUILD, "--offline", before=_small(apart, project.root / "work", size, after))
    )

    assert {} == project.checksums()


@pytest.mark.parametrize("size", ["1400k", *(pytest.param(s, marks=FULL) for s in ("4m", "24m"))])
def test_a_full_cache(project: Project, apart: list[str], size: str) -> None:
    """What the compiler keeps there finds no room; the source that is there stays as it was."""
    project.remove_results()
    entries = project.folder / "other" / workspace.FORMAT / "sha256"
    entries.mkdir(parents=True)
    pin = project.cached_source
    shutil.copy(pin, entries)
    cache, after = entries.parents[1], project.folder / "after"

    code, told = project.run(
        *BUILD, "--offline", before=_small(apart, cache, size, after), MIMALLOC_CACHE=str(cache)
    )
    shutil.rmtree(cache)

    _is_told_full(code, told)
    assert {} == project.checksums()
    assert pin.name == sha256_of(after / workspace.FORMAT / "sha256" / pin.name)


def test_a_cache_in_which_the_source_has_no_room(project: Project, apart: list[str]) -> None:
    """Nothing has the name of a source that is not one."""
    cache, after, tarball = (
        project.folder / "none",
        project.folder / "after",
        project.folder / "handed",
    )
    project.remove_results()
    cache.mkdir()
    shutil.copy(project.cached_source, tarball)
    # Which source it is depends on what is at hand, and so does its size.
    before = _small(apart, cache, f"{project.cached_source.stat().st_size * 2 // 3}", after)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    _is_told_full(*project.run(*command, before=before, MIMALLOC_CACHE=str(cache)))

    assert [] == [file for file in after.rglob("*/sha256/*") if file.is_file()]


@pytest.mark.parametrize("size", ["4k", "64k", "120k", "128k", "132k", "136k"])
def test_a_full_dist_folder_while_packages_get_their_names(
    project: Project, apart: list[str], size: str
) -> None:
    """What did get its name is whole, nothing vouches for a part, and the next run ends it."""
    whole, after = project.final_checksums(), project.folder / "after"
    shutil.rmtree(project.dist)

    code, told = project.run(*BUILD, "--offline", before=_small(apart, project.dist, size, after))

    _is_told_full(code, told)
    assert {} == project.checksums()
    shutil.rmtree(project.dist)
    after.rename(project.dist)
    assert project.checksums().items() < whole.items()
    project.succeed(*BUILD, "--offline")
    assert whole == project.checksums()


@pytest.mark.parametrize("size", ["180k", "220k"])
def test_a_full_dist_folder_for_signatures(
    project: Project, apart: list[str], size: str, keys: dict[str, str]
) -> None:
    """What was finished stays so, signed or not, and the next signing ends."""
    names, after = set(project.final_checksums()), project.folder / "after"

    code, told = project.run(*SIGN, before=_small(apart, project.dist, size, after), **keys)

    _is_told_full(code, told)
    shutil.rmtree(project.dist)
    after.rename(project.dist)
    assert all(statement.matches(file) for file in project.dist.rglob("*.rpm"))
    project.succeed(*SIGN, **keys)
    assert names == set(project.checksums())


@pytest.mark.parametrize("size", ["64k", "140k", "180k"])
def test_a_full_repository(
    project: Project, apart: list[str], size: str, keys: dict[str, str]
) -> None:
    """Nothing half-made is served."""
    project.succeed(*SIGN, **keys)
    trees = project.root / ".repository"
    trees.mkdir()

    code, told = project.run(
        *REPO, before=_small(apart, trees, size, project.folder / "after"), **keys
    )

    _is_told_full(code, told)
    assert not os.path.lexists(project.root / "repository")
    project.succeed(*REPO, **keys)


@pytest.mark.parametrize("command", [SIGN, REPO], ids=["sign", "repo"])
@pytest.mark.parametrize("size", ["4k", "60k", "200k"])
def test_a_full_folder_for_temporary_files(
    project: Project, apart: list[str], size: str, command: tuple[str, ...], keys: dict[str, str]
) -> None:
    """The programs of others do not say what they lack; we do."""
    if command == REPO:
        project.succeed(*SIGN, **keys)
    before = _small(apart, project.scratch, size, project.folder / "after")

    code, told = project.run(*command, before=before, **keys)

    assert "Traceback" not in told
    _is_told_full(code, told)
    assert all(statement.matches(file) for file in project.dist.rglob("*.rpm"))


# --- closed --------------------------------------------------------------------------------------


def _is_told_closed(code: int, told: str) -> None:
    count("closed folders")
    assert (12, True) == (code, "not allowed to read or write" in told), told


def test_a_cache_that_is_read_only(project: Project, apart: list[str]) -> None:
    """With the source in it, a build works: the compiler keeps its files elsewhere."""
    whole = project.final_checksums()
    project.remove_results()

    project.succeed(*BUILD, "--offline", before=_closed(apart, project.cache))

    assert whole == project.checksums()


def test_a_read_only_cache_without_the_source(project: Project, apart: list[str]) -> None:
    """It is told that the cache cannot be written to."""
    cache, tarball = project.folder / "none", project.folder / "handed"
    (cache / workspace.FORMAT).mkdir(parents=True, exist_ok=True)
    project.remove_results()
    shutil.copy(project.cached_source, tarball)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    code, told = project.run(*command, before=_closed(apart, cache), MIMALLOC_CACHE=str(cache))

    _is_told_closed(code, told)
    assert "MIMALLOC_CACHE" in told


@pytest.mark.parametrize(
    ("command", "closed"),
    [(SIGN, "dist"), (REPO, ".repository"), (REPO, "."), (SIGN, ".")],
    ids=["sign-dist", "repo-trees", "repo-checkout", "sign-checkout"],
)
def test_a_closed_folder_for_signatures_and_repositories(
    project: Project, apart: list[str], command: tuple[str, ...], closed: str, keys: dict[str, str]
) -> None:
    """It is told which, and what was there before is there after."""
    if command == REPO:
        project.succeed(*SIGN, **keys)
    (project.root / closed).mkdir(exist_ok=True)
    before = project.checksums()

    _is_told_closed(*project.run(*command, before=_closed(apart, project.root / closed), **keys))

    assert before == project.checksums()
    assert not os.path.lexists(project.root / "repository")


@pytest.fixture
def theirs(package: Package) -> Iterator[Project]:
    """A project that belongs to nobody, where everybody may look, and a cache that is ours."""
    if os.geteuid() != 0:
        untested("a cache that is somebody else's", "needs root, to be somebody else")
    env = {**os.environ, "HOME": "/"}
    try_it = subprocess.run([*AS_NOBODY, "invoke", "-V"], env=env, capture_output=True, check=False)
    if try_it.returncode != 0:
        untested("a cache that is somebody else's", f"nobody else can use {sys.prefix}")
    package(VERSION, DIST)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        Path(folder).chmod(0o755)
        project = projects.make(Path(folder) / "project")
        for each in (project.root, project.scratch):
            for file in [each, *each.rglob("*")]:
                os.chown(file, NOBODY, NOBODY)
        yield project


def test_a_cache_that_is_somebody_elses(theirs: Project) -> None:
    """Who may not look into it is told what to set; who may look and not write can build."""
    layout = theirs.cache / workspace.FORMAT
    home = {"HOME": str(theirs.scratch)}

    layout.chmod(0o700)
    code, told = theirs.run(*BUILD, "--offline", before=AS_NOBODY, **home)
    _is_told_closed(code, told)
    assert "MIMALLOC_CACHE" in told
    assert {} == theirs.checksums()

    layout.chmod(0o755)
    theirs.succeed(*BUILD, "--offline", before=AS_NOBODY, **home)
    assert 6 == len(theirs.checksums())


# --- altered -------------------------------------------------------------------------------------


def _altered(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    entry.write_bytes(content)


def _truncated(entry: Path) -> None:
    os.truncate(entry, entry.stat().st_size // 2)


def _linked(entry: Path) -> None:
    entry.rename(entry.with_name("elsewhere"))
    entry.symlink_to("elsewhere")


def _a_folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()
    (entry / "file").touch()


def _a_pipe(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def _lost(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to("nowhere")


@pytest.mark.parametrize(
    "spoil",
    [
        _altered,
        _linked,
        _a_pipe,
        *(pytest.param(s, marks=FULL) for s in (_truncated, _a_folder, _lost)),
    ],
)
def test_a_spoilt_entry_is_never_used(
    project: Project, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """Offline it is as good as none; and once the source is had again, all is as it should be."""
    whole, entry, tarball = project.final_checksums(), project.cached_source, tmp_path / "tarball"
    project.remove_results()
    shutil.copy(entry, tarball)
    spoil(entry)
    count("spoilt sources")

    code, told = project.run(*BUILD, "--offline")
    assert 20 == code, told
    assert "not in the cache" in told
    assert {} == project.checksums()
    project.succeed("fetch", "--version", VERSION, "--source", str(tarball))
    assert (entry.name, False) == (sha256_of(entry), entry.is_symlink())
    project.succeed(*BUILD, "--offline")
    assert whole == project.checksums()
    for left in (project.cache / workspace.FORMAT / "sha256").glob("elsewhere"):
        left.unlink()
