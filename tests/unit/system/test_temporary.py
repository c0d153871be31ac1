"""Temporary folders: gone at the end, and found where the run that made one was killed."""

import multiprocessing
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from pipeline.system import temporary
from pipeline.system.temporary import abandoned


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _age(folder: Path) -> None:
    """Make a folder older than the time that one may take to be locked."""
    before = time.time() - 2 * temporary._YOUNG
    os.utime(folder, (before, before))


def test_it_is_gone_with_its_block(folder: Path) -> None:
    """Until then it is in use, however old it is."""
    with temporary.temporary("test") as scratch:
        _age(scratch)
        assert scratch.is_dir()
        assert [] == abandoned()

    assert [] == list(folder.iterdir())


def test_that_of_a_killed_run_is_found(folder: Path) -> None:
    """The kernel has freed its lock; a young one may be about to be locked."""

    def work() -> None:
        with temporary.temporary("test"):
            os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    (scratch,) = folder.iterdir()

    assert [] == abandoned()
    _age(scratch)
    assert [scratch] == abandoned()


def test_nothing_else_is_found(folder: Path) -> None:
    """Checkouts and archives of others begin with the same word; a link leads somewhere else."""
    (folder / "other").mkdir()
    for name in ("mimalloc-3.4.3", "mimalloc-custom", "other"):
        (folder / name).mkdir(exist_ok=True)
        _age(folder / name)
    (folder / "mimalloc-tmp-key-file").touch()
    _age(folder / "mimalloc-tmp-key-file")
    (folder / "mimalloc-tmp-key-link").symlink_to("other")

    assert [] == abandoned()
