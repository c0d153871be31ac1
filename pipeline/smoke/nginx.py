"""An nginx of our own on the loopback address: its folder, port, start, workers and stop."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template

from pipeline.model.errors import HostError
from pipeline.system import process, procfs
from pipeline.system.procfs import Process

# Seconds in which workers start or stop; it takes hundredths of one.
TIMEOUT = 10.0

CONFIGURATION = "nginx.conf"
_MODULES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_SBIN_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"


def find() -> str:
    """The path of the host's nginx. Raises HostError where there is none."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN_FOLDERS}")
    if not program:
        raise HostError("no nginx on this host to run on the library", hint="invoke doctor")
    return program


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port of the loopback address; bound while in use, so that nobody else gets it."""
    with socket.socket() as reservation:
        # nginx sets it too, and so can bind the same port.
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        yield reservation.getsockname()[1]


def prepare(
    folder: Path, program: str | Path, template: Path, values: Mapping[str, object]
) -> None:
    """Make nginx's folder with its configuration; the caller fills ``served`` in it.

    Temporary files are in it too, and not where the host's nginx has them. Workers of root run as
    root: nobody else can read the folder.
    """
    for name in ("served", "temporary"):
        (folder / name).mkdir(parents=True)
    _, _, version = process.attempt([program, "-V"], timeout=TIMEOUT)
    temporary = [
        f"{module}_temp_path temporary/{module};"
        for module in _MODULES
        if f"--without-http_{module}_module" not in version
    ]
    text = Template(template.read_text(encoding="utf-8")).substitute(
        values,
        # nginx warns of the directive where it is not started by root.
        user="user root root;" if os.geteuid() == 0 else "",
        temporary="\n    ".join(temporary),
    )
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")


def command(program: str | Path, folder: Path) -> list[str | Path]:
    """The command that starts nginx in its folder."""
    return [program, "-p", f"{folder}/", "-c", CONFIGURATION]


def wait_for_workers(
    master: subprocess.Popen[bytes], count: int, old: Sequence[Process] = ()
) -> list[Process]:
    """Wait until ``count`` workers run; the answer is the master and the workers by then.

    ``old`` is the answer before a reload: its workers must have ended, and do not count.
    """
    old_workers = {process.pid for process in old[1:]}
    deadline = time.monotonic() + TIMEOUT
    while True:
        family = procfs.family(master.pid)
        processes = [process for process in family if process.pid not in old_workers]
        complete = len(processes) == len(family) == 1 + count
        if complete or master.poll() is not None or time.monotonic() > deadline:
            return processes
        time.sleep(0.02)


def stop(master: subprocess.Popen[bytes]) -> int | None:
    """Stop it gracefully; its exit code, or None where it still runs."""
    master.send_signal(signal.SIGQUIT)
    with suppress(subprocess.TimeoutExpired):
        master.wait(TIMEOUT)
    return master.returncode
