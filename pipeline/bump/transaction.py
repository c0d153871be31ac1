"""Several files put in place at once: all of them, or, however it ends, none.

What is to be placed and what was there before are written into a folder of their own, ``.bump``,
and a list of it comes last: from then on a landing has begun. Each file is then moved to where it
belongs. That the list is gone is the end. A watcher puts back what was there before where we are
killed in between. Where the watcher went too, as when the power does, a later run finds the list.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pipeline.model.errors import BumpError
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import place_text, remove

_FOLDER, _LIST = ".bump", "list.json"


def put(root: Path, files: Mapping[str, str | None]) -> None:
    """Give files below ``root`` their new texts, in this order; a file whose text is None goes.

    Whoever is ended in the middle leaves it to a watcher, or to the next ``undo``.
    """
    folder = root / _FOLDER
    remove(folder)
    entries = [_prepare(root, folder, number, *each) for number, each in enumerate(files.items())]
    with _watched(root):
        place_text(json.dumps(entries, indent=2), folder / _LIST)
        try:
            for entry in entries:
                _place(root, entry)
        except BaseException:
            undo(root)
            raise
        (folder / _LIST).unlink()
    remove(folder)


@contextmanager
def _watched(root: Path) -> Iterator[None]:
    """A process of our own that outlives us, and undoes a landing that we do not end ourselves."""
    watching, alive = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        _watch(root, watching, alive)
    os.close(watching)
    try:
        yield
    finally:
        os.write(alive, b"ended")
        os.close(alive)
        os.waitpid(watcher, 0)


def _watch(root: Path, watching: int, alive: int) -> NoReturn:
    """Wait for the other's word that it has ended; where it comes to an end without, undo."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(alive)
        if not os.read(watching, 1):
            undo(root)
    finally:
        os._exit(0)


def unfinished(root: Path) -> bool:
    """Whether a landing was ended in the middle."""
    return (root / _FOLDER / _LIST).exists()


def undo(root: Path) -> bool:
    """Put back what was there before a landing that did not end; whether there was one.

    Raises BumpError for a file that somebody has changed since.
    """
    folder = root / _FOLDER
    begun = unfinished(root)
    if begun:
        entries = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        _refuse_changed(root, entries)
        for entry in reversed(entries):
            _put_back(root, entry)
        (folder / _LIST).unlink()
    remove(folder)
    return begun


def _prepare(root: Path, folder: Path, number: int, path: str, text: str | None) -> dict[str, Any]:
    """Write the new file and a copy of the old one; the answer is the entry of the list."""
    new, old, target = folder / f"{number}.new", folder / f"{number}.old", root / path
    if text is not None:
        place_text(text, new)
    if target.exists():
        folder.mkdir(exist_ok=True)
        shutil.copy(target, old)
    made = [parent for parent in target.parents if root in parent.parents and not parent.exists()]
    return {
        "path": path,
        "number": number,
        "new": sha256_of(new) if text is not None else "",
        "old": sha256_of(old) if target.exists() else "",
        "made": [str(parent.relative_to(root)) for parent in made],
    }


def _place(root: Path, entry: Mapping[str, Any]) -> None:
    target = root / entry["path"]
    if entry["new"]:
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(root / _FOLDER / f"{entry['number']}.new", target)
    else:
        target.unlink(missing_ok=True)


def _refuse_changed(root: Path, entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        target = root / entry["path"]
        there = sha256_of(target) if target.exists() else ""
        if there not in (entry["new"], entry["old"]):
            raise BumpError(
                "a bump was ended in the middle, and one of its files has been changed since",
                file=target,
                detail=f"as it was before: {root / _FOLDER / str(entry['number'])}.old"
                if entry["old"]
                else "before the bump there was no such file",
                hint=f"save your change, put the file back as it was, remove {root / _FOLDER}",
            )


def _put_back(root: Path, entry: Mapping[str, Any]) -> None:
    target = root / entry["path"]
    if entry["old"]:
        old = root / _FOLDER / f"{entry['number']}.old"
        back = old.with_suffix(".back")
        shutil.copy(old, back)
        _move(back, target)
    else:
        target.unlink(missing_ok=True)
    for made in entry["made"]:
        folder = root / made
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _move(source: Path, target: Path) -> None:
    source.replace(target)
