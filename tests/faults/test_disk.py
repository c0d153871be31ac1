"""Full disks, read-only folders, altered caches: an error, and no wrong file is ever used.

Disks are small tmpfs, and read-only folders are mounts, in a mount namespace that ends with the
command.
"""

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
from tests.build.conftest import Package
from tests.faults import project as projects
from tests.faults.project import BUILD, DIST, REPO, SIGN, VERSION, Project
from tests.tally import count, untested

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
FULL = pytest.mark.full
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def unshare(as_root: list[str]) -> list[str]:
    """The command that runs another one in a mount namespace."""
    return as_root or ["unshare", "--mount"]


def _small(unshare: list[str], folder: Path, size: str, after: Path) -> list[str]:
    """A command with a small disk mounted on a folder; its content is copied to ``after``."""
    folder.mkdir(exist_ok=True)
    for left in (after, Path(f"{after}.before")):
        shutil.rmtree(left, ignore_errors=True)
    values = {"folder": folder, "before": f"{after}.before", "after": after, "size": size}
    names = {name: shlex.quote(str(value)) for name, value in values.items()}
    script = (
        "cp -a {folder} {before} && mount -t tmpfs -o size={size} tmpfs {folder} &&"
        " cp -a {before}/. {folder} && rm -r {before} || exit 99;"
        ' "$@"; code=$?; cp -a {folder} {after}; exit $code'
    )
    return [*unshare, "sh", "-c", script.format(**names), "sh"]


def _pages(folder: Path, pattern: str = "*") -> int:
    """The pages of memory that the files of a folder take on such a disk."""
    return sum(-(-file.stat().st_size // PAGE) for file in folder.rglob(pattern) if file.is_file())


def _kib(pages: float) -> str:
    """The size of a disk of so many pages, and of one at least: 0 would be no limit."""
    return f"{max(1, int(pages)) * PAGE // 1024}k"


def _read_only(unshare: list[str], *folders: Path) -> list[str]:
    """A command for which folders are read-only."""
    mounts = [
        f"mount --bind {shlex.quote(str(folder))} {shlex.quote(str(folder))} &&"
        f" mount -o remount,bind,ro {shlex.quote(str(folder))}"
        for folder in folders
    ]
    return [*unshare, "sh", "-c", f'{" && ".join(mounts)} && exec "$@"', "sh"]


def _assert_disk_full(code: int, output: str) -> None:
    count("full disks")
    assert (12, True) == (code, "no space left to write" in output), output
    assert "free some space" in output


# --- full ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["64k", "1200k", "2m", "3m", "4m"])
def test_a_full_work_folder(project: Project, unshare: list[str], size: str) -> None:
    """Any step may run out of space."""
    project.remove_results()
    after = project.folder / "after"
    (project.root / "work").mkdir()

    _assert_disk_full(
        *project.run(
            *BUILD, "--offline", before=_small(unshare, project.root / "work", size, after)
        )
    )

    assert {} == project.checksums()


@pytest.mark.parametrize("size", ["1400k", *(pytest.param(s, marks=FULL) for s in ("4m", "24m"))])
def test_a_full_cache(project: Project, unshare: list[str], size: str) -> None:
    """The compiler's cache does not fit; the source in the cache does not change."""
    project.remove_results()
    entries = project.folder / "other" / workspace.FORMAT / "sha256"
    entries.mkdir(parents=True)
    pin = project.cached_source
    shutil.copy(pin, entries)
    cache, after = entries.parents[1], project.folder / "after"

    code, output = project.run(
        *BUILD, "--offline", before=_small(unshare, cache, size, after), MIMALLOC_CACHE=str(cache)
    )
    shutil.rmtree(cache)

    _assert_disk_full(code, output)
    assert {} == project.checksums()
    assert pin.name == sha256_of(after / workspace.FORMAT / "sha256" / pin.name)


def test_a_cache_in_which_the_source_has_no_room(project: Project, unshare: list[str]) -> None:
    """No incomplete source gets the name of a source."""
    cache, after, tarball = (
        project.folder / "none",
        project.folder / "after",
        project.folder / "tarball",
    )
    project.remove_results()
    cache.mkdir()
    shutil.copy(project.cached_source, tarball)
    # The size depends on which of the sources was available.
    before = _small(unshare, cache, f"{project.cached_source.stat().st_size * 2 // 3}", after)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    _assert_disk_full(*project.run(*command, before=before, MIMALLOC_CACHE=str(cache)))

    assert [] == [file for file in after.rglob("*/sha256/*") if file.is_file()]


@pytest.mark.parametrize("part", [0, 0.4, 0.7, 0.8, 0.9, 0.95])
def test_a_full_dist_folder_while_packages_get_their_names(
    project: Project, unshare: list[str], part: float
) -> None:
    """Every package with a name is complete, and the next run makes the others."""
    checksums, after = project.final_checksums(), project.folder / "after"
    size = _kib(part * _pages(project.dist))
    shutil.rmtree(project.dist)

    code, output = project.run(
        *BUILD, "--offline", before=_small(unshare, project.dist, size, after)
    )

    _assert_disk_full(code, output)
    assert {} == project.checksums()
    shutil.rmtree(project.dist)
    after.rename(project.dist)
    assert project.checksums().items() < checksums.items()
    project.succeed(*BUILD, "--offline")
    assert checksums == project.checksums()


@pytest.mark.parametrize("free", [1, 12])
def test_a_full_dist_folder_for_signatures(
    project: Project, unshare: list[str], free: int, keys: dict[str, str]
) -> None:
    """Every package stays complete, signed or not, and the next signing succeeds."""
    names, after = set(project.final_checksums()), project.folder / "after"
    size = _kib(_pages(project.dist) + free)

    code, output = project.run(*SIGN, before=_small(unshare, project.dist, size, after), **keys)

    _assert_disk_full(code, output)
    shutil.rmtree(project.dist)
    after.rename(project.dist)
    assert all(statement.matches(file) for file in project.dist.rglob("*.rpm"))
    project.succeed(*SIGN, **keys)
    assert names == set(project.checksums())


@pytest.mark.parametrize("part", [0.4, 0.9, 1.2])
def test_a_full_repository(
    project: Project, unshare: list[str], part: float, keys: dict[str, str]
) -> None:
    """No incomplete repository is served: neither packages nor metadata fit."""
    project.succeed(*SIGN, **keys)
    size = _kib(part * _pages(project.dist, "*.rpm"))
    trees = project.root / ".repository"
    trees.mkdir()

    code, output = project.run(
        *REPO, before=_small(unshare, trees, size, project.folder / "after"), **keys
    )

    _assert_disk_full(code, output)
    assert not os.path.lexists(project.root / "repository")
    project.succeed(*REPO, **keys)


@pytest.mark.parametrize("command", [SIGN, REPO], ids=["sign", "repo"])
@pytest.mark.parametrize("part", [0, 0.4, 1.4])
def test_a_full_folder_for_temporary_files(
    project: Project,
    unshare: list[str],
    part: float,
    command: tuple[str, ...],
    keys: dict[str, str],
) -> None:
    """gpg and createrepo_c do not report a full disk; we do."""
    size = _kib(part * _pages(project.dist, "*.rpm"))
    if command == REPO:
        project.succeed(*SIGN, **keys)
    before = _small(unshare, project.scratch, size, project.folder / "after")

    code, output = project.run(*command, before=before, **keys)

    assert "Traceback" not in output
    _assert_disk_full(code, output)
    assert all(statement.matches(file) for file in project.dist.rglob("*.rpm"))


# --- read-only -----------------------------------------------------------------------------------


def _assert_not_writable(code: int, output: str) -> None:
    count("read-only folders")
    assert (12, True) == (code, "not allowed to read or write" in output), output


def test_a_cache_that_is_read_only(project: Project, unshare: list[str]) -> None:
    """With the source in it, a build succeeds: the compiler's cache is in the work folder."""
    checksums = project.final_checksums()
    project.remove_results()

    project.succeed(*BUILD, "--offline", before=_read_only(unshare, project.cache))

    assert checksums == project.checksums()


def test_a_read_only_cache_without_the_source(project: Project, unshare: list[str]) -> None:
    """The error names the variable that moves the cache."""
    cache, tarball = project.folder / "none", project.folder / "tarball"
    (cache / workspace.FORMAT).mkdir(parents=True, exist_ok=True)
    project.remove_results()
    shutil.copy(project.cached_source, tarball)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    code, output = project.run(
        *command, before=_read_only(unshare, cache), MIMALLOC_CACHE=str(cache)
    )

    _assert_not_writable(code, output)
    assert "MIMALLOC_CACHE" in output


@pytest.mark.parametrize(
    ("command", "folder"),
    [(SIGN, "dist"), (REPO, ".repository"), (REPO, "."), (SIGN, ".")],
    ids=["sign-dist", "repo-trees", "repo-checkout", "sign-checkout"],
)
def test_a_read_only_folder_for_signatures_and_repositories(
    project: Project,
    unshare: list[str],
    command: tuple[str, ...],
    folder: str,
    keys: dict[str, str],
) -> None:
    """The error is about the folder, and the results do not change."""
    if command == REPO:
        project.succeed(*SIGN, **keys)
    (project.root / folder).mkdir(exist_ok=True)
    before = project.checksums()

    _assert_not_writable(
        *project.run(*command, before=_read_only(unshare, project.root / folder), **keys)
    )

    assert before == project.checksums()
    assert not os.path.lexists(project.root / "repository")


@pytest.fixture
def foreign_project(package: Package) -> Iterator[Project]:
    """A project that belongs to nobody and that everybody may read, and a cache that is ours."""
    if os.geteuid() != 0:
        untested("a cache that is somebody else's", "needs root, to be somebody else")
    env = {**os.environ, "HOME": "/"}
    result = subprocess.run([*AS_NOBODY, "invoke", "-V"], env=env, capture_output=True, check=False)
    if result.returncode != 0:
        untested("a cache that is somebody else's", f"nobody else can use {sys.prefix}")
    package(VERSION, DIST)
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        Path(temporary).chmod(0o755)
        project = projects.make(Path(temporary) / "project")
        for folder in (project.root, project.scratch):
            for file in [folder, *folder.rglob("*")]:
                os.chown(file, NOBODY, NOBODY)
        yield project


def test_a_cache_that_is_somebody_elses(foreign_project: Project) -> None:
    """Without read permission the error names a variable; with it, a build succeeds."""
    layout = foreign_project.cache / workspace.FORMAT
    home = {"HOME": str(foreign_project.scratch)}

    layout.chmod(0o700)
    code, output = foreign_project.run(*BUILD, "--offline", before=AS_NOBODY, **home)
    _assert_not_writable(code, output)
    assert "MIMALLOC_CACHE" in output
    assert {} == foreign_project.checksums()

    layout.chmod(0o755)
    foreign_project.succeed(*BUILD, "--offline", before=AS_NOBODY, **home)
    assert 9 == len(foreign_project.checksums())


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


def _dangling(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to("nowhere")


@pytest.mark.parametrize(
    "alter",
    [
        _altered,
        _linked,
        _a_pipe,
        *(pytest.param(s, marks=FULL) for s in (_truncated, _a_folder, _dangling)),
    ],
)
def test_an_altered_entry_is_never_used(
    project: Project, alter: Callable[[Path], None], tmp_path: Path
) -> None:
    """Offline it counts as missing; once the source is fetched again, it is used."""
    entry, tarball = project.cached_source, tmp_path / "tarball"
    project.remove_results()
    shutil.copy(entry, tarball)
    alter(entry)
    count("altered sources")

    code, output = project.run(*BUILD, "--offline")
    assert 20 == code, output
    assert "not in the cache" in output
    assert {} == project.checksums()
    project.succeed("fetch", "--version", VERSION, "--source", str(tarball))
    assert (entry.name, False) == (sha256_of(entry), entry.is_symlink())
    project.succeed("unpack", *BUILD[1:], "--offline")
    for left in (project.cache / workspace.FORMAT / "sha256").glob("elsewhere"):
        left.unlink()
