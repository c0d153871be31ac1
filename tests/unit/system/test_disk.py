"""`disk`: what the file system refuses, and a disk that is all but full."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline.model.errors import CompileError, WorkspaceError
from pipeline.system.disk import SCANT, guarded, suspecting
from pipeline.system.workspace import CACHE_VARIABLE, place_text


@pytest.mark.parametrize(
    ("code", "what", "hint"),
    [
        (errno.ENOSPC, "no room left to write", "free some space"),
        (errno.EDQUOT, "no room left to write", "free some space"),
        (errno.EACCES, "not allowed to read or write", "make it writable"),
        (errno.EROFS, "not allowed to read or write", CACHE_VARIABLE),
        (errno.ENOENT, "a file has gone that was there before", "invoke clean"),
        (errno.ENOTDIR, "a file or folder is not what it should be", CACHE_VARIABLE),
    ],
)
def test_refusal_says_where_and_what_to_do(code: int, what: str, hint: str) -> None:
    """What the file system refuses becomes a message with the path and the way out."""
    with pytest.raises(WorkspaceError) as caught, guarded():
        raise OSError(code, os.strerror(code), "/some/file")

    problem = caught.value
    assert (what, "/some/file", os.strerror(code)) == (problem.what, problem.file, problem.got)
    assert hint in problem.hint
    assert 12 == problem.exit_code


def test_file_where_a_folder_should_be(tmp_path: Path) -> None:
    """A cache that is set to a file ends in a message too."""
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError) as caught, guarded():
        place_text("x", tmp_path / "file" / "cache" / "entry")

    assert str(tmp_path / "file" / "cache") == str(caught.value.file)


@pytest.mark.parametrize("problem", [BrokenPipeError(errno.EPIPE, "pipe"), OSError("no number")])
def test_other_trouble_passes(problem: OSError) -> None:
    """What is not about files is not called so."""
    with pytest.raises(OSError, match=r"pipe|number") as caught, guarded():
        raise problem

    assert problem is caught.value


def _free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)


def test_failure_on_a_full_disk_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Compilers die of it without a word; what they did say is kept."""
    _free(monkeypatch, SCANT - 1)
    with pytest.raises(WorkspaceError) as caught, suspecting(tmp_path / "no-such", tmp_path):
        raise CompileError("it does not compile", detail="Aborted")

    problem = caught.value
    assert "no room left to write, and so: it does not compile" == problem.what
    assert ("Aborted", tmp_path) == (problem.detail, problem.file)
    assert "16383 KiB free" == problem.got
    assert "free some space" in problem.hint


def test_failure_with_room_to_spare_is_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where there is room, the step's own error comes through."""
    _free(monkeypatch, SCANT)
    failure = CompileError("it does not compile")
    with pytest.raises(CompileError) as caught, suspecting(tmp_path):
        raise failure

    assert failure is caught.value
