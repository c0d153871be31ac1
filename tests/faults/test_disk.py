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
from tests.faults import house as houses
from tests.faults.house import BUILD, DIST, REPO, SIGN, VERSION, House
from tests.faults.tally import tried

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
FULL = pytest.mark.full


@pytest.fixture
def house(built: House) -> Iterator[House]:
    """The same; afterwards it is as it was."""
    kept = built.folder / "kept"
    shutil.copytree(built.dist, kept / "dist")
    yield built
    for name in ("dist", ".repository", "repository"):
        workspace.remove(built.root / name)
    shutil.copytree(kept / "dist", built.dist)
    shutil.rmtree(kept)


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
    tried("full disks")
    assert (12, True) == (code, "no room left to write" in told), told
    assert "free some space" in told


# --- full ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["64k", "1200k", "2m", "3m", "4m"])
def test_a_full_work_folder(house: House, apart: list[str], size: str) -> None:
    """Whichever step it is that finds no more room."""
    house.forget()
    after = house.folder / "after"
    (house.root / "work").mkdir()

    _is_told_full(
        *house.run(*BUILD, "--offline", before=_small(apart, house.root / "work", size, after))
    )

    assert {} == house.results()


@pytest.mark.parametrize("size", ["1400k", *(pytest.param(s, marks=FULL) for s in ("4m", "24m"))])
def test_a_full_cache(house: House, apart: list[str], size: str) -> None:
    """What the compiler keeps there finds no room; the source that is there stays as it was."""
    house.forget()
    entries = house.folder / "other" / workspace.FORMAT / "sha256"
    entries.mkdir(parents=True)
    pin = house.pin
    shutil.copy(pin, entries)
    cache, after = entries.parents[1], house.folder / "after"

    code, told = house.run(
        *BUILD, "--offline", before=_small(apart, cache, size, after), MIMALLOC_CACHE=str(cache)
    )
    shutil.rmtree(cache)

    _is_told_full(code, told)
    assert {} == house.results()
    assert pin.name == sha256_of(after / workspace.FORMAT / "sha256" / pin.name)


def test_a_cache_in_which_the_source_has_no_room(house: House, apart: list[str]) -> None:
    """Nothing has the name of a source that is not one."""
    cache, after, tarball = house.folder / "none", house.folder / "after", house.folder / "handed"
    house.forget()
    cache.mkdir()
    shutil.copy(house.pin, tarball)
    # Which source it is depends on what is at hand, and so does its size.
    before = _small(apart, cache, f"{house.pin.stat().st_size * 2 // 3}", after)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    _is_told_full(*house.run(*command, before=before, MIMALLOC_CACHE=str(cache)))

    assert [] == [file for file in after.rglob("*/sha256/*") if file.is_file()]


@pytest.mark.parametrize("size", ["4k", "64k", "120k", "128k", "132k", "136k"])
def test_a_full_dist_folder_while_packages_get_their_names(
    house: House, apart: list[str], size: str
) -> None:
    """What did get its name is whole, nothing vouches for a part, and the next run ends it."""
    whole, after = house.named(), house.folder / "after"
    shutil.rmtree(house.dist)

    code, told = house.run(*BUILD, "--offline", before=_small(apart, house.dist, size, after))

    _is_told_full(code, told)
    assert {} == house.results()
    shutil.rmtree(house.dist)
    after.rename(house.dist)
    assert house.results().items() < whole.items()
    house.done(*BUILD, "--offline")
    assert whole == house.results()


@pytest.mark.parametrize("size", ["180k", "220k"])
def test_a_full_dist_folder_for_signatures(
    house: House, apart: list[str], size: str, keys: dict[str, str]
) -> None:
    """What was finished stays so, signed or not, and the next signing ends."""
    names, after = set(house.named()), house.folder / "after"

    code, told = house.run(*SIGN, before=_small(apart, house.dist, size, after), **keys)

    _is_told_full(code, told)
    shutil.rmtree(house.dist)
    after.rename(house.dist)
    assert all(statement.vouches(file) for file in house.dist.rglob("*.rpm"))
    house.done(*SIGN, **keys)
    assert names == set(house.results())


@pytest.mark.parametrize("size", ["64k", "140k", "180k"])
def test_a_full_repository(house: House, apart: list[str], size: str, keys: dict[str, str]) -> None:
    """Nothing half-made is served."""
    house.done(*SIGN, **keys)
    trees = house.root / ".repository"
    trees.mkdir()

    code, told = house.run(*REPO, before=_small(apart, trees, size, house.folder / "after"), **keys)

    _is_told_full(code, told)
    assert not os.path.lexists(house.root / "repository")
    house.done(*REPO, **keys)


@pytest.mark.parametrize("command", [SIGN, REPO], ids=["sign", "repo"])
@pytest.mark.parametrize("size", ["4k", "60k", "200k"])
def test_a_full_folder_for_temporary_files(
    house: House, apart: list[str], size: str, command: tuple[str, ...], keys: dict[str, str]
) -> None:
    """The programs of others do not say what they lack; we do."""
    if command == REPO:
        house.done(*SIGN, **keys)
    before = _small(apart, house.scratch, size, house.folder / "after")

    code, told = house.run(*command, before=before, **keys)

    assert "Traceback" not in told
    _is_told_full(code, told)
    assert all(statement.vouches(file) for file in house.dist.rglob("*.rpm"))


# --- closed --------------------------------------------------------------------------------------


def _is_told_closed(code: int, told: str) -> None:
    tried("closed folders")
    assert (12, True) == (code, "not allowed to read or write" in told), told


def test_a_cache_that_is_read_only(house: House, apart: list[str]) -> None:
    """With the source in it, a build works: the compiler keeps its files elsewhere."""
    whole = house.named()
    house.forget()

    house.done(*BUILD, "--offline", before=_closed(apart, house.cache))

    assert whole == house.results()


def test_a_read_only_cache_without_the_source(house: House, apart: list[str]) -> None:
    """It is told that the cache cannot be written to."""
    cache, tarball = house.folder / "none", house.folder / "handed"
    (cache / workspace.FORMAT).mkdir(parents=True, exist_ok=True)
    house.forget()
    shutil.copy(house.pin, tarball)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    code, told = house.run(*command, before=_closed(apart, cache), MIMALLOC_CACHE=str(cache))

    _is_told_closed(code, told)
    assert "MIMALLOC_CACHE" in told


@pytest.mark.parametrize(
    ("command", "closed"),
    [(SIGN, "dist"), (REPO, ".repository"), (REPO, "."), (SIGN, ".")],
    ids=["sign-dist", "repo-trees", "repo-checkout", "sign-checkout"],
)
def test_a_closed_folder_for_signatures_and_repositories(
    house: House, apart: list[str], command: tuple[str, ...], closed: str, keys: dict[str, str]
) -> None:
    """It is told which, and what was there before is there after."""
    if command == REPO:
        house.done(*SIGN, **keys)
    (house.root / closed).mkdir(exist_ok=True)
    before = house.results()

    _is_told_closed(*house.run(*command, before=_closed(apart, house.root / closed), **keys))

    assert before == house.results()
    assert not os.path.lexists(house.root / "repository")


@pytest.fixture
def theirs(package: Package) -> Iterator[House]:
    """A house that belongs to nobody, where everybody may look, and a cache that is ours."""
    if os.geteuid() != 0:
        untested("a cache that is somebody else's", "needs root, to be somebody else")
    env = {**os.environ, "HOME": "/"}
    try_it = subprocess.run([*AS_NOBODY, "invoke", "-V"], env=env, capture_output=True, check=False)
    if try_it.returncode != 0:
        untested("a cache that is somebody else's", f"nobody else can use {sys.prefix}")
    package(VERSION, DIST)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        Path(folder).chmod(0o755)
        house = houses.make(Path(folder) / "house")
        for each in (house.root, house.scratch):
            for file in [each, *each.rglob("*")]:
                os.chown(file, NOBODY, NOBODY)
        yield house


def test_a_cache_that_is_somebody_elses(theirs: House) -> None:
    """Who may not look into it is told what to set; who may look and not write can build."""
    layout = theirs.cache / workspace.FORMAT
    home = {"HOME": str(theirs.scratch)}

    layout.chmod(0o700)
    code, told = theirs.run(*BUILD, "--offline", before=AS_NOBODY, **home)
    _is_told_closed(code, told)
    assert "MIMALLOC_CACHE" in told
    assert {} == theirs.results()

    layout.chmod(0o755)
    theirs.done(*BUILD, "--offline", before=AS_NOBODY, **home)
    assert 6 == len(theirs.results())


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
    house: House, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """Offline it is as good as none; and once the source is had again, all is as it should be."""
    whole, entry, tarball = house.named(), house.pin, tmp_path / "tarball"
    house.forget()
    shutil.copy(entry, tarball)
    spoil(entry)
    tried("spoilt sources")

    code, told = house.run(*BUILD, "--offline")
    assert 20 == code, told
    assert "not in the cache" in told
    assert {} == house.results()
    house.done("fetch", "--version", VERSION, "--source", str(tarball))
    assert (entry.name, False) == (sha256_of(entry), entry.is_symlink())
    house.done(*BUILD, "--offline")
    assert whole == house.results()
    for left in (house.cache / workspace.FORMAT / "sha256").glob("elsewhere"):
        left.unlink()
