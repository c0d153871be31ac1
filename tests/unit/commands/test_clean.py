"""`clean`: what goes, what stays, and whom it waits for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.commands import clean
from pipeline.system.locks import cache_locks, in_use, locked
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A checkout in which something was made, and a cache."""
    place = Workspace(tmp_path / "checkout", tmp_path / "cache" / "v1")
    for folder in (place.work / "compile", place.dist / "el7", place.cache / "sha256"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    with locked(place.locks, "a package"):
        (place.root / "recipes").mkdir()
    return place


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_work_folder_goes(workspace: Workspace) -> None:
    """Packages and cache stay; of the locks only the one that all others stand behind."""
    clean.run(workspace, Report())

    assert [".locks", "dist", "recipes"] == _names(workspace.root)
    assert (workspace.cache / "sha256" / "file").exists()
    assert ["workspace.lock"] == _names(workspace.locks)


def test_everything_but_the_recipes_goes(workspace: Workspace) -> None:
    """What was made goes, what was written stays; a clean folder can be cleaned."""
    for _ in range(2):
        clean.run(workspace, Report(), everything=True)

        assert [".locks", "recipes"] == _names(workspace.root)
        assert ["locks"] == _names(workspace.cache)


def test_a_cache_that_is_not_there_stays_so(workspace: Workspace) -> None:
    """Cleaning makes nothing."""
    nowhere = Workspace(workspace.root, workspace.cache / "none")
    clean.run(nowhere, Report(), everything=True)

    assert not nowhere.cache.exists()


def test_it_waits_for_a_build(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is pulled from under one."""
    with in_use(workspace):
        cleaner = _cleaner(workspace)
        there = workspace.work.exists()
    cleaner.join()

    assert there
    assert not workspace.work.exists()
    assert "waiting for a build to end" in capsys.readouterr().out


def test_it_waits_for_another_checkout_that_uses_the_cache(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sources that it fetches, and what its compiler keeps, stay until it has ended."""
    with in_use(Workspace(tmp_path / "other", workspace.cache)):
        cleaner = _cleaner(workspace)
        there = (workspace.cache / "sha256" / "file").exists()
    cleaner.join()

    assert there
    assert ["locks"] == _names(workspace.cache)
    assert ["cache.lock"] == _names(cache_locks(workspace))
    assert "waiting for another checkout" in capsys.readouterr().out


def _cleaner(workspace: Workspace) -> threading.Thread:
    """Somebody who cleans everything, and has had a moment to do it."""
    cleaner = threading.Thread(
        target=clean.run, args=(workspace, Report()), kwargs={"everything": True}
    )
    cleaner.start()
    cleaner.join(0.05)
    return cleaner
