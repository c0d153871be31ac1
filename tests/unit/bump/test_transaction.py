"""`bump.land`: several files at once, or none, whenever it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pipeline.bump import transaction
from pipeline.model.errors import BumpError

BEFORE = {"README.md": "old\n", "recipes/a.toml": "a\n", "patches/1/gone.patch": "gone\n"}
FILES = {
    "patches/2/new.patch": "new\n",
    "patches/1/gone.patch": None,
    "README.md": "new\n",
    "recipes/b.toml": "b\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with three files."""
    for name, text in BEFORE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _content(root: Path) -> dict[str, str]:
    """Every file below a folder, and every folder that is empty."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() or not any(path.iterdir()):
            found[str(path.relative_to(root))] = path.read_text() if path.is_file() else "empty"
    return found


def _killed(root: Path, count: int, *, watched: bool = False) -> int:
    """Ends a landing with SIGKILL before it has placed a file for the ``count``th time.

    Its watcher, where it has one, has ended, too, when this returns.
    """
    watching, alive = os.pipe()

    def work() -> None:
        os.close(watching)
        if not watched:
            transaction._watched = nullcontext  # type: ignore[assignment]
        seen, place, own = 0, transaction._place, os.getpid()

        def counted(root: Path, entry: Mapping[str, Any]) -> None:
            nonlocal seen
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
            place(root, entry)

        unlink = Path.unlink

        def last(self: Path, missing_ok: bool = False) -> None:
            if self.name == "list.json" and os.getpid() == own:
                os.kill(os.getpid(), signal.SIGKILL)
            unlink(self, missing_ok)

        transaction._place = counted
        Path.unlink = last  # type: ignore[method-assign]
        transaction.put(root, FILES)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    os.close(alive)
    # Nobody who has inherited the other end is left.
    assert b"" == os.read(watching, 1)
    os.close(watching)
    return child.exitcode or 0


def test_all_files_get_their_texts(root: Path) -> None:
    """New ones come, others are written anew, and one whose text is None goes."""
    transaction.put(root, FILES)

    after = {**BEFORE, **FILES}
    assert {name: text for name, text in after.items() if text} | {
        "patches/1": "empty"
    } == _content(root)


@pytest.mark.parametrize("count", range(len(FILES) + 1))
def test_whoever_is_killed_leaves_what_can_be_undone(root: Path, count: int) -> None:
    """Before the first file, between two, and after the last: the next run puts all back."""
    assert -signal.SIGKILL == _killed(root, count)
    assert transaction.unfinished(root)
    assert transaction.undo(root)

    assert BEFORE == _content(root)
    assert not transaction.undo(root)


@pytest.mark.parametrize("count", range(len(FILES) + 1))
def test_a_watcher_puts_back_what_the_killed_one_has_moved(root: Path, count: int) -> None:
    """The tree is as before at once, without a next run."""
    assert -signal.SIGKILL == _killed(root, count, watched=True)

    assert BEFORE == _content(root)
    assert not transaction.unfinished(root)


def test_a_killed_undoing_is_undone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Putting back may be ended and begun again."""
    _killed(root, 3)

    def ended(root: Path, entry: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(transaction, "_put_back", ended)
        with pytest.raises(KeyboardInterrupt):
            transaction.undo(root)
    transaction.undo(root)

    assert BEFORE == _content(root)


def test_a_failure_in_the_middle_is_undone_at_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up leaves what was there before."""
    move, moved = transaction._move, []

    def failing(source: Path, target: Path) -> None:
        moved.append(target)
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr(transaction, "_move", failing)
    with pytest.raises(OSError, match="No space"):
        transaction.put(root, FILES)

    assert BEFORE == _content(root)


def test_what_was_not_begun_needs_no_undoing(root: Path) -> None:
    """Copies that were written before the list was are thrown away."""
    (root / ".bump").mkdir()
    (root / ".bump" / "0.new").write_text("half")

    assert not transaction.unfinished(root)
    assert not transaction.undo(root)
    assert BEFORE == _content(root)


def test_a_file_that_was_changed_since_is_not_lost(root: Path) -> None:
    """Whoever has edited one of the files meanwhile is told, and nothing is put back."""
    _killed(root, 4)
    (root / "README.md").write_text("mine\n")

    with pytest.raises(BumpError, match="has been changed since") as caught:
        transaction.undo(root)

    assert root / "README.md" == caught.value.file
    assert "mine\n" == (root / "README.md").read_text()
    assert "b\n" == (root / "recipes" / "b.toml").read_text()
