"""`disk`: errors of the file system, and a disk that is nearly full."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline.model.errors import CompileError, WorkspaceError
from pipeline.system.disk import NEARLY_FULL, guarded
from pipeline.system.workspace import CACHE_VARIABLE, place_text


@pytest.mark.parametrize(
    ("code", "what", "hint"),
    [
        (errno.ENOSPC, "no space left to write", "free some space"),
        (errno.EDQUOT, "no space left to write", "free some space"),
        (errno.EACCES, "not allowed to read or write", "make it writable"),
        (errno.EROFS, "not allowed to read or write", CACHE_VARIABLE),
        (errno.ENOENT, "a file is missing that existed before", "invoke clean"),
        (errno.ENOTDIR, "a file or folder is not what it should be", CACHE_VARIABLE),
    ],
)
def test_error_has_the_file_and_a_hint(code: int, what: str, hint: str) -> None:
    """An error of the file system becomes a message with the path and what to do."""
    with pytest.raises(WorkspaceError) as caught, guarded():
        raise OSError(code, os.strerror(code), "/some/file")

    problem = caught.value
    assert (what, "/some/file", os.strerror(code)) == (problem.what, problem.file, problem.got)
    assert hint in problem.hint
    assert 12 == problem.exit_code


def test_file_where_a_folder_should_be(tmp_path: Path) -> None:
    """A cache that is set to a file is an error with the path."""
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError) as caught, guarded():
        place_text("x", tmp_path / "file" / "cache" / "entry")

    assert str(tmp_path / "file" / "cache") == str(caught.value.file)


@pytest.mark.parametrize("problem", [BrokenPipeError(errno.EPIPE, "pipe"), OSError("no number")])
def test_other_errors_pass(problem: OSError) -> None:
    """An OSError that is not about files is not converted."""
    with pytest.raises(OSError, match=r"pipe|number") as caught, guarded():
        raise problem

    assert problem is caught.value


def _free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)


def test_failure_on_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compilers end without a message about it; what they print is shown."""
    _free(monkeypatch, NEARLY_FULL - 1)
    with pytest.raises(WorkspaceError) as caught, guarded(tmp_path / "no-such", tmp_path):
        raise CompileError("it does not compile", detail="Aborted")

    problem = caught.value
    assert "no space left to write, therefore: it does not compile" == problem.what
    assert ("Aborted", tmp_path) == (problem.detail, problem.file)
    assert "16383 KiB free" == problem.got
    assert "free some space" in problem.hint


def test_failure_on_a_disk_with_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With free space, the step's own error is raised."""
    _free(monkeypatch, NEARLY_FULL)
    failure = CompileError("it does not compile")
    with pytest.raises(CompileError) as caught, guarded(tmp_path):
        raise failure

    assert failure is caught.value
