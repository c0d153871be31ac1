"""`invoke clean`: what it removes, what stays, and what it waits for."""

import io
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.commands import clean
from pipeline.model.errors import RequestError
from pipeline.system.locks import cache_locks, in_use, locked
from pipeline.system.workspace import CACHE_VARIABLE, Workspace, locate


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A checkout in which something was built, and a cache."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    place = locate(tmp_path / "checkout")
    for folder in (place.work / "compile", place.dist / "el7", place.cache / "sha256"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    with locked(place.locks, "a package"):
        (place.root / "recipes").mkdir()
    return place


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_work_folder_is_removed(place: Workspace) -> None:
    """Packages and cache stay; of the locks only that of the checkout."""
    clean.run(place.root)

    assert [".locks", "dist", "recipes"] == _names(place.root)
    assert (place.cache / "sha256" / "file").exists()
    assert ["workspace.lock"] == _names(place.locks)


def test_everything_is_all_that_can_be_made_again(place: Workspace) -> None:
    """Packages and cache, too; a clean checkout can be cleaned."""
    for _ in range(2):
        clean.run(place.root, everything=True, yes=True)

        assert [".locks", "recipes"] == _names(place.root)
        assert ["locks"] == _names(place.cache)


def test_no_cache_is_made(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, it stays so."""
    monkeypatch.setenv(CACHE_VARIABLE, str(place.cache / "none"))
    clean.run(place.root, everything=True, yes=True)

    assert not (place.cache / "none").exists()


@pytest.mark.parametrize(
    ("terminal", "answer", "removed"),
    [
        (True, "y", True),
        (True, "YES", True),
        (True, "", False),
        (True, "n", False),
        (False, "y", False),
    ],
)
def test_everything_is_asked_about(
    place: Workspace, monkeypatch: pytest.MonkeyPatch, terminal: bool, answer: str, removed: bool
) -> None:
    """Only at a terminal; where there is none, it needs --yes."""
    entered = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(entered, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdin", entered)
    if removed:
        clean.run(place.root, everything=True)
    else:
        with pytest.raises(RequestError, match="nothing was removed") as caught:
            clean.run(place.root, everything=True)
        assert "invoke clean --everything --yes" == caught.value.hint

    assert removed != (place.dist / "el7" / "file").exists()
    assert removed != (place.cache / "sha256" / "file").exists()


def test_what_killed_runs_have_left_is_removed(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary folders, wherever they are."""
    left = tmp_path / "left"
    left.mkdir()
    monkeypatch.setattr(clean, "abandoned", lambda: [left])
    clean.run(place.root)

    assert not left.exists()


def test_it_waits_for_a_build(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is removed while a build uses it."""
    with in_use(place):
        thread, output = _cleaning(place, capsys)
        exists = place.work.exists()
    thread.join()

    assert exists
    assert not place.work.exists()
    assert "waiting for a build to end" in output


def test_it_waits_for_another_checkout_that_uses_the_cache(
    place: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sources that it fetches, and the compiler's files, stay until it has ended."""
    with in_use(Workspace(tmp_path / "other", place.cache)):
        thread, output = _cleaning(place, capsys)
        exists = (place.cache / "sha256" / "file").exists()
    thread.join()

    assert exists
    assert ["locks"] == _names(place.cache)
    assert ["cache.lock"] == _names(cache_locks(place))
    assert "waiting for another checkout" in output


def _cleaning(place: Workspace, capsys: pytest.CaptureFixture[str]) -> tuple[threading.Thread, str]:
    """A thread that cleans everything, and what it has printed when it waits."""
    flags = {"everything": True, "yes": True}
    thread, output = threading.Thread(target=clean.run, args=[place.root], kwargs=flags), ""
    thread.start()
    while thread.is_alive() and "waiting" not in output:
        time.sleep(0.005)
        output += capsys.readouterr().out
    return thread, output
