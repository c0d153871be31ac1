"""End the Python that imports this just before it makes its n-th change below a folder.

FAULT_BELOW is the folder, FAULT_AT the number of the change, from 1 on, and FAULT_SIGNAL that of
the signal. Every change adds a byte to the file FAULT_LOG.
"""

import os
import sys
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.utime")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _watch(below: str, at: int, number: int, log: int) -> None:
    count = 0

    def hook(event: str, values: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = values
            if not isinstance(flags, int) or not flags & _WRITING:
                return
            paths: tuple[Any, ...] = (path,)
        elif event in _CHANGES:
            paths = values
        else:
            return
        names = [os.fspath(path) for path in paths if isinstance(path, str | os.PathLike)]
        if not any(str(name).startswith(below) for name in names):
            return
        count += 1
        os.write(log, b".")
        if count == at:
            os.kill(os.getpid(), number)

    sys.addaudithook(hook)


if "FAULT_BELOW" in os.environ:
    _watch(
        os.environ["FAULT_BELOW"],
        int(os.environ["FAULT_AT"]),
        int(os.environ["FAULT_SIGNAL"]),
        os.open(os.environ["FAULT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
    )
