"""Run in another world: what Python sees there, and what programs see that the pipeline starts."""

from __future__ import annotations

import json
import locale
import os
import socket
import sys
import time
from pathlib import Path

from pipeline.model.errors import HostError
from pipeline.system import process

# cmake's own clock; there is no other way to have it told without a project.
CMAKE = 'string(TIMESTAMP now "%s")\nexecute_process(COMMAND echo ${now})\n'


def told(*command: str | Path) -> str:
    """The last word that a program says."""
    return process.read(command, error=HostError, what=f"{command[0]} fails").split()[-1]


def seen() -> dict[str, object]:
    """All that the other world has of its own; where there are two values, the pipeline's last."""
    script = Path(os.environ["TMPDIR"], "clock.cmake")
    script.write_text(CMAKE)
    os.umask(mask := os.umask(0))
    clocks = (
        told("date", "+%s"),
        told("rpm", "--eval", "%{lua:print(os.time())}"),
        told("cmake", "-P", script),
    )
    return {
        "clocks": [int(time.time()), *map(int, clocks)],
        "cores": [len(os.sched_getaffinity(0)), int(told("nproc"))],
        "user": [os.geteuid(), int(told("id", "-u"))],
        "host": [socket.gethostname(), told("uname", "-n")],
        "locale": locale.setlocale(locale.LC_ALL, ""),
        "zone": time.strftime("%z"),
        "mask": mask,
        "folders": [str(Path.cwd()), os.environ["HOME"], os.environ["MIMALLOC_CACHE"]],
    }


if __name__ == "__main__":
    json.dump(seen(), sys.stdout)
