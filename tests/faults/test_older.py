"""What an older version of us, or somebody else, has left where our files go: never misread."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.faults.house import BUILD, DIST, NEVRA, REPO, SIGN, VERSION, House


@pytest.fixture
def house(built: House) -> Iterator[House]:
    """The same; afterwards it is as it was."""
    kept = built.folder / "kept"
    shutil.copytree(built.dist, kept)
    yield built
    for name in ("dist", ".repository", "repository"):
        workspace.remove(built.root / name)
    kept.rename(built.dist)


def _listing(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): sha256_of(file) for file in files}


def test_folders_of_another_layout_are_left_alone(house: House) -> None:
    """Work and cache of another number are neither read nor written, whatever they hold."""
    whole, work = house.named(), house.root / "work"
    house.forget()
    old = (house.cache / "v0", work / "v0")
    newest = house.cache / workspace.FORMAT
    shutil.copytree(newest / "sha256", old[0] / "sha256")
    for entry in (old[0] / "sha256").iterdir():
        entry.write_text("not a source\n")
    (work / "v0" / "compile").mkdir(parents=True)
    (work / "v0" / "compile" / "done").touch()
    before = [_listing(folder) for folder in old]

    house.done(*BUILD, "--offline")

    assert before == [_listing(folder) for folder in old]
    assert whole == house.results()
    shutil.rmtree(old[0])


def test_packages_with_the_record_of_an_older_version(house: House) -> None:
    """A JSON of another name beside a package vouches for nothing: it is made anew."""
    whole = house.named()
    rpm = next(house.dist.rglob(f"{NEVRA}.rpm"))
    for each in house.dist.rglob("*.json"):
        each.unlink()
    told = {"key": "0" * 64, "sha256": sha256_of(rpm), "nevra": NEVRA}
    older = rpm.with_suffix(".json")
    older.write_text(json.dumps(told))

    assert not statement.vouches(rpm)
    code, said = house.run(*SIGN)
    assert 30 == code, said
    assert "built in" in house.done(*BUILD, "--offline")

    assert whole.items() <= house.results().items()
    assert {str(older.relative_to(house.dist))} == house.results().keys() - whole.keys()


PLACES = (
    "work",
    f"work/{workspace.FORMAT}",
    "dist",
    f"dist/{DIST}",
    f"dist/{DIST}/x86_64",
    ".locks",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_where_a_folder_of_ours_goes(house: House, place: str, kind: str) -> None:
    """It is told which; what is there stays, and nothing is written to where a link leads."""
    target, elsewhere = house.root / place, house.folder / "elsewhere"
    for each in (house.dist, target):
        workspace.remove(each)
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        target.write_text("mine\n")
    else:
        target.symlink_to(elsewhere)

    code, told = house.run(*BUILD, "--offline")

    assert (12, True) == (code, "not what it should be" in told or "has gone" in told), told
    assert str(target) in told
    assert not elsewhere.exists()
    assert target.is_symlink() if kind == "link" else "mine\n" == target.read_text()
    target.unlink()
    house.done(*BUILD, "--offline")


@pytest.mark.parametrize("place", ["sha256", "parts", "locks", "rejected", ""])
def test_something_else_where_a_folder_of_the_cache_goes(
    house: House, place: str, tmp_path: Path
) -> None:
    """It is told which, and what to set."""
    house.forget()
    cache, tarball = tmp_path / "odd", tmp_path / "handed"
    target = cache / workspace.FORMAT / place
    target.parent.mkdir(parents=True)
    target.write_text("mine\n")
    shutil.copy(house.pin, tarball)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    code, told = house.run(*command, MIMALLOC_CACHE=str(cache))

    needed = place not in ("parts", "rejected")
    assert (12 if needed else 0) == code, told
    assert not needed or (str(target) in told and "MIMALLOC_CACHE" in told)
    assert "mine\n" == target.read_text()


def _a_folder(link: Path, trees: Path) -> None:
    link.mkdir()
    (link / "mine").touch()


def _a_file(link: Path, trees: Path) -> None:
    link.write_text("mine\n")


def _trees_that_are_a_file(link: Path, trees: Path) -> None:
    trees.write_text("mine\n")


@pytest.mark.parametrize("lay", [_a_folder, _a_file, _trees_that_are_a_file])
def test_something_else_where_the_repository_goes(
    house: House, keys: dict[str, str], lay: Callable[[Path, Path], None]
) -> None:
    """It is told, and left alone."""
    house.done(*SIGN, **keys)
    link, trees = house.root / "repository", house.root / ".repository"
    lay(link, trees)

    code, told = house.run(*REPO, **keys)

    assert code in (12, 31), told
    assert str(link) in told or str(trees) in told
    assert (link / "mine").exists() or "mine\n" in {
        each.read_text() for each in (link, trees) if each.is_file()
    }


def test_a_repository_of_an_older_kind(house: House, keys: dict[str, str]) -> None:
    """One whose packages are accounted for by other files is refused by name, and still served."""
    house.done(*SIGN, **keys)
    trees = house.root / ".repository"
    older = trees / "older" / DIST / "x86_64"
    shutil.copytree(house.dist / DIST / "x86_64", older)
    for each in older.glob("*.json"):
        each.unlink()
    rpm = next(older.glob(f"{NEVRA}.rpm"))
    foreign = rpm.rename(rpm.with_name(rpm.name.replace(VERSION, "1.0.0")))
    (house.root / "repository").symlink_to(".repository/older")

    code, told = house.run(*REPO, **keys)
    assert 31 == code, told
    assert f"{foreign.name}: not the file that its provenance names" in told
    assert foreign.exists()
    assert (house.root / "repository").resolve() == trees / "older"

    foreign.unlink()
    house.done(*REPO, **keys)
    served = (house.root / "repository" / DIST / "x86_64").glob("*.rpm")
    assert all(statement.vouches(file) for file in served)


def test_a_tree_laid_out_by_other_rules_is_replaced(house: House, keys: dict[str, str]) -> None:
    """The number of its layout is part of what it is known by."""
    house.done(*SIGN, **keys)
    house.done(*REPO, **keys)
    before = (house.root / "repository").resolve()
    code = house.root / "pipeline" / "publish" / "repository.py"
    text = code.read_text()
    code.write_text(text.replace("_FORMAT = 1", "_FORMAT = 0"))

    house.done(*REPO, **keys)

    code.write_text(text)
    assert before != (house.root / "repository").resolve()
