"""What a finished step left in a folder: recorded when it ends, compared when a step reads it."""

import os
import stat
from pathlib import Path

from pipeline.model.errors import WorkspaceError
from pipeline.system.checksum import sha256_of

# The record itself, a log that later steps may write to, and what `cmake --install` leaves behind.
_LEFT_OUT = ("contents", "log", "build/install_manifest.txt")


def record(folder: Path) -> str:
    """A line for everything below a folder: mode, what is in it, name. Times do not count."""
    return "".join(f"{line}  {name!a}\n" for name, line in sorted(_read(folder).items()))


def verify(folder: Path, recorded: Path) -> None:
    """Raise WorkspaceError if a folder is not what was recorded, with the names that differ."""
    if changed := differences(folder, recorded):
        raise WorkspaceError(
            "the work folder was changed after a step had written it",
            expected="what the step wrote",
            got=", ".join(changed[:5]) + (" ..." if changed[5:] else ""),
            file=folder,
            hint="invoke clean, then the same command again",
        )


def differences(folder: Path, recorded: Path) -> list[str]:
    """The names of what was changed, added or removed since the record was made."""
    before = set(recorded.read_text(encoding="utf-8").splitlines())
    now = set(record(folder).splitlines())
    return sorted({line.split("  ", 1)[1] for line in before ^ now})


def _read(folder: Path) -> dict[str, str]:
    lines, folders = {}, [folder]
    for parent in folders:
        for entry in os.scandir(parent):
            file = Path(entry.path)
            name, mode = str(file.relative_to(folder)), entry.stat(follow_symlinks=False).st_mode
            if name in _LEFT_OUT:
                continue
            content = ""
            if stat.S_ISDIR(mode):
                folders.append(file)
            elif stat.S_ISLNK(mode):
                content = f" {str(file.readlink())!a}"
            elif stat.S_ISREG(mode):
                content = f" {sha256_of(file)}"
            lines[name] = f"{mode:o}{content}"
    return lines
