"""An nginx of our own on this machine's own address: its folder, port, workers and end."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template

from pipeline.model.errors import HostError
from pipeline.smoke import proofs
from pipeline.system import process

# Seconds in which workers must have come, or gone; it takes hundredths of one.
PATIENCE = 10.0

CONFIGURATION = "nginx.conf"
_MODULES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_MORE_PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"


def nginx() -> str:
    """The host's nginx. Raises HostError where there is none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:{_MORE_PLACES}")
    if not found:
        raise HostError("no nginx on this host to run on the library", hint="invoke doctor")
    return found


@contextmanager
def port() -> Iterator[int]:
    """A free port of this machine's own address, kept free for us: bound, and never listened on."""
    with socket.socket() as held:
        # Both sides set it (nginx does), so that nginx can bind the port beside us.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def furnish(
    folder: Path, program: str | Path, template: Path, values: Mapping[str, object]
) -> None:
    """Make the folder that nginx works in, with its configuration; what it serves is for others."""
    for name in ("served", "temporary", "traces"):
        (folder / name).mkdir(parents=True)
    _, _, built_with = process.attempt([program, "-V"], timeout=PATIENCE)
    text = configuration(template, built_with, values, root=os.geteuid() == 0)
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")


def configuration(
    template: Path, built_with: str, values: Mapping[str, object], *, root: bool
) -> str:
    """The text of nginx.conf, for an nginx that is built with these options.

    Each module keeps temporary files, in a folder of the host's unless told otherwise. Workers of
    root are root's too: the folder that they serve is closed to everybody else.
    """
    temporary = [
        f"{module}_temp_path temporary/{module};"
        for module in _MODULES
        if f"--without-http_{module}_module" not in built_with
    ]
    return Template(template.read_text(encoding="utf-8")).substitute(
        values, user="user root root;" if root else "", temporary="\n    ".join(temporary)
    )


def command(program: str | Path, folder: Path) -> list[str | Path]:
    """What starts nginx in its folder; with ``-s`` and a word behind it, what speaks to it."""
    return [program, "-p", f"{folder}/", "-c", CONFIGURATION]


def workers(
    master: subprocess.Popen[bytes], count: int, old: frozenset[int] = frozenset()
) -> frozenset[int]:
    """The workers, once all are there and no ``old`` one is; or who is there in the end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = proofs.children(master.pid)
        if len(found) == count and not found & old:
            return found
        if master.poll() is not None or time.monotonic() > deadline:
            return found - old
        time.sleep(0.02)


def stop(master: subprocess.Popen[bytes]) -> str:
    """End it gracefully; its exit code as text."""
    master.send_signal(signal.SIGQUIT)
    try:
        return str(master.wait(PATIENCE))
    except subprocess.TimeoutExpired:
        return "none: it goes on"
