"""Files of an older version, or of somebody else, where our files go: never misread."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.faults.project import BUILD, DIST, NEVRA, REPO, SIGN, VERSION, Project


def _checksums(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): sha256_of(file) for file in files}


def test_folders_of_another_layout_are_left_alone(project: Project) -> None:
    """Work and cache folders of another number are neither read nor written."""
    expected, work = project.final_checksums(), project.root / "work"
    project.remove_results()
    old = (project.cache / "v0", work / "v0")
    newest = project.cache / workspace.FORMAT
    shutil.copytree(newest / "sha256", old[0] / "sha256")
    for entry in (old[0] / "sha256").iterdir():
        entry.write_text("not a source\n")
    (work / "v0" / "compile").mkdir(parents=True)
    (work / "v0" / "compile" / "done").touch()
    before = [_checksums(folder) for folder in old]

    project.succeed(*BUILD, "--offline")

    assert before == [_checksums(folder) for folder in old]
    assert expected == project.checksums()
    shutil.rmtree(old[0])


def test_packages_with_the_statement_of_an_older_version(project: Project) -> None:
    """JSON of another name beside a package is no statement: it is built again."""
    expected = project.final_checksums()
    rpm = next(project.dist.rglob(f"{NEVRA}.rpm"))
    for file in project.dist.rglob("*.json"):
        file.unlink()
    older = rpm.with_suffix(".json")
    older.write_text(json.dumps({"key": "0" * 64, "sha256": sha256_of(rpm), "nevra": NEVRA}))

    assert not statement.matches(rpm)
    code, output = project.run(*SIGN)
    assert 30 == code, output
    assert "built in" in project.succeed(*BUILD, "--offline")

    assert expected.items() <= project.checksums().items()
    assert {str(older.relative_to(project.dist))} == project.checksums().keys() - expected.keys()


FOLDERS = (
    "work",
    f"work/{workspace.FORMAT}",
    "dist",
    f"dist/{DIST}",
    f"dist/{DIST}/x86_64",
    ".locks",
)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_where_a_folder_of_ours_goes(
    project: Project, folder: str, kind: str
) -> None:
    """The error names it; it stays as it is, and nothing is written through a link."""
    target, other = project.root / folder, project.folder / "other"
    aside = project.folder / "aside"
    if target.exists():
        target.rename(aside)
    workspace.remove(project.dist)
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        target.write_text("mine\n")
    else:
        target.symlink_to(other)

    code, output = project.run(*BUILD, "--offline")

    messages = ("not what it should be", "has gone")
    assert (12, True) == (code, any(message in output for message in messages)), output
    assert str(target) in output
    assert not other.exists()
    assert target.is_symlink() if kind == "link" else "mine\n" == target.read_text()
    target.unlink()
    if aside.exists() and not folder.startswith("dist"):
        aside.rename(target)
    workspace.remove(aside)
    project.succeed(*BUILD, "--offline")


@pytest.mark.parametrize("name", ["sha256", "parts", "locks", "rejected", ""])
def test_something_else_where_a_folder_of_the_cache_goes(
    project: Project, name: str, tmp_path: Path
) -> None:
    """The error names it, and the variable to set."""
    project.remove_results()
    cache, tarball = tmp_path / "odd", tmp_path / "mimalloc.tar.gz"
    target = cache / workspace.FORMAT / name
    target.parent.mkdir(parents=True)
    target.write_text("mine\n")
    shutil.copy(project.cached_source, tarball)
    command = ("fetch", "--version", VERSION, "--source", str(tarball))

    code, output = project.run(*command, MIMALLOC_CACHE=str(cache))

    needed = name not in ("parts", "rejected")
    assert (12 if needed else 0) == code, output
    assert not needed or (str(target) in output and "MIMALLOC_CACHE" in output)
    assert "mine\n" == target.read_text()


def _a_folder(link: Path, trees: Path) -> None:
    link.mkdir()
    (link / "mine").touch()


def _a_file(link: Path, trees: Path) -> None:
    link.write_text("mine\n")


def _trees_that_are_a_file(link: Path, trees: Path) -> None:
    trees.write_text("mine\n")


@pytest.mark.parametrize("write", [_a_folder, _a_file, _trees_that_are_a_file])
def test_something_else_where_the_repository_goes(
    project: Project, keys: dict[str, str], write: Callable[[Path, Path], None]
) -> None:
    """The error names it, and it stays as it is."""
    project.succeed(*SIGN, **keys)
    link, trees = project.root / "repository", project.root / ".repository"
    write(link, trees)

    code, output = project.run(*REPO, **keys)

    assert code in (12, 31), output
    assert str(link) in output or str(trees) in output
    assert (link / "mine").exists() or "mine\n" in {
        path.read_text() for path in (link, trees) if path.is_file()
    }


def test_a_repository_of_an_older_kind(project: Project, keys: dict[str, str]) -> None:
    """A package without our statement is refused by name; the repository stays as it is."""
    project.succeed(*SIGN, **keys)
    trees = project.root / ".repository"
    older = trees / "older" / DIST / "x86_64"
    shutil.copytree(project.dist / DIST / "x86_64", older)
    for file in older.glob("*.json"):
        file.unlink()
    rpm = next(older.glob(f"{NEVRA}.rpm"))
    foreign = rpm.rename(rpm.with_name(rpm.name.replace(VERSION, "1.0.0")))
    (project.root / "repository").symlink_to(".repository/older")

    code, output = project.run(*REPO, **keys)
    assert 31 == code, output
    assert f"{foreign.name}: not the file that its provenance names" in output
    assert foreign.exists()
    assert (project.root / "repository").resolve() == trees / "older"

    foreign.unlink()
    project.succeed(*REPO, **keys)
    served = (project.root / "repository" / DIST / "x86_64").glob("*.rpm")
    assert all(statement.matches(file) for file in served)


def test_a_repository_of_another_layout_is_replaced(project: Project, keys: dict[str, str]) -> None:
    """The number of the layout is part of the name of its folder."""
    project.succeed(*SIGN, **keys)
    project.succeed(*REPO, **keys)
    before = (project.root / "repository").resolve()
    code = project.root / "pipeline" / "publish" / "repository.py"
    text = code.read_text()
    code.write_text(text.replace("_FORMAT = 2", "_FORMAT = 1"))

    project.succeed(*REPO, **keys)

    code.write_text(text)
    assert before != (project.root / "repository").resolve()
