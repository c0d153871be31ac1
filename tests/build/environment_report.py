"""Print the environment of a build, as Python has it and as programs have it that we start."""

import json
import locale
import os
import socket
import sys
import time
from pathlib import Path

from pipeline.model.errors import HostError
from pipeline.system import process

# The clock of cmake, which it prints in a script only.
CMAKE = 'string(TIMESTAMP now "%s")\nexecute_process(COMMAND echo ${now})\n'


def output(*command: str | Path) -> str:
    """The last word that a program prints."""
    return process.read(command, error=HostError(f"{command[0]} fails")).split()[-1]


def environment() -> dict[str, object]:
    """What differs between environments; of two values, the last is that of a program."""
    script = Path(os.environ["TMPDIR"], "clock.cmake")
    script.write_text(CMAKE)
    os.umask(mask := os.umask(0))
    clocks = (
        output("date", "+%s"),
        output("rpm", "--eval", "%{lua:print(os.time())}"),
        output("cmake", "-P", script),
    )
    return {
        "clocks": [int(time.time()), *map(int, clocks)],
        "cores": [len(os.sched_getaffinity(0)), int(output("nproc"))],
        "user": [os.geteuid(), int(output("id", "-u"))],
        "host": [socket.gethostname(), output("uname", "-n")],
        "locale": locale.setlocale(locale.LC_ALL, ""),
        "zone": time.strftime("%z"),
        "mask": mask,
        "folders": [str(Path.cwd()), os.environ["HOME"], os.environ["MIMALLOC_CACHE"]],
    }


if __name__ == "__main__":
    json.dump(environment(), sys.stdout)
