"""An nginx on one allocator: furnished, started, proven to be on it, and its size at a moment."""

import random
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.compare.allocators import Allocator
from pipeline.compare.settings import Settings
from pipeline.config.allocators import ALLOCATORS
from pipeline.model.errors import CompareError
from pipeline.smoke import nginx, proofs
from pipeline.system import process, procfs
from pipeline.system.procfs import Process

TEMPLATE = Path(__file__).with_name("nginx.conf")
PORTS = ("http", "https", "origin")

_KIB = 1024
_SITE = """server {{
    listen 127.0.0.1:{http};
    server_name site-{n}.invalid www.site-{n}.invalid;
    root served;
    location /a/ {{ expires 1h; add_header X-Site "{n}"; }}
    location ~ \\.php$ {{ return 404; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large an nginx is at a moment, in KiB: its largest worker, and all of it by share."""

    vsz: int
    rss: int
    pss: int
    whole: int


@dataclass(frozen=True, slots=True)
class Running:
    """An nginx that is up: its master, and the port of each scheme."""

    master: subprocess.Popen[bytes]
    ports: Mapping[str, int]

    def crew(self) -> tuple[Process | None, list[Process]]:
        """The master and its workers, as they are now."""
        workers = (procfs.process(each) for each in proofs.children(self.master.pid))
        return procfs.process(self.master.pid), [each for each in workers if each]

    def size(self) -> Size | None:
        """How large it is now; None where no worker could be looked at."""
        master, workers = self.crew()
        seen = [each for each in workers if each.pss is not None]
        if not seen or master is None:
            return None
        largest = max(seen, key=lambda each: each.rss)
        whole = sum(each.pss or 0 for each in (master, *seen))
        return Size(largest.vsz, largest.rss, largest.pss or 0, whole)


@contextmanager
def started(
    program: str, allocator: Allocator, chosen: Settings, folder: Path, served: Path
) -> Iterator[Running]:
    """An nginx with its workers, each of them on the allocator. Raises CompareError where not."""
    with ExitStack() as opened:
        ports = {name: opened.enter_context(nginx.port()) for name in PORTS}
        nginx.furnish(folder, program, TEMPLATE, {**ports, "workers": chosen.workers})
        (folder / "served").rmdir()
        (folder / "served").symlink_to(served)
        for name in ("certificate.pem", "key.pem"):
            (folder / name).symlink_to(served.parent / name)
        sites = "".join(_SITE.format(n=n, **ports) for n in range(chosen.sites))
        (folder / "sites.conf").write_text(sites, encoding="utf-8")
        log, argv = folder / "log", nginx.command(program, folder)
        running = process.running(argv, log=log, env=allocator.variables())
        found = Running(opened.enter_context(running), ports)
        nginx.workers(found.master, chosen.workers)
        prove(found, allocator, log)
        yield found
        if found.master.poll() is not None:
            raise _failed(f"nginx ended on {allocator.name}", log)
        nginx.stop(found.master)


def prove(running: Running, allocator: Allocator, log: Path) -> None:
    """Raise CompareError where master and workers are not all on the allocator, and on it alone."""
    master, workers = running.crew()
    if master is None or not workers:
        raise _failed(f"nginx does not start on {allocator.name}", log)
    wanted = {str(allocator.library.resolve())} if allocator.library else set()
    for each in (master, *workers):
        mapped = [file.path for file in each.mapped or ()]
        found = {path for path in mapped if path in wanted or ALLOCATORS.match(Path(path).name)}
        if found != wanted:
            raise CompareError(
                f"nginx is not on {allocator.name}, or not on it alone",
                expected=", ".join(wanted) or "no other allocator than the C library's",
                got=", ".join(sorted(found)) or "none",
                file=log,
            )


def _failed(what: str, log: Path) -> CompareError:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return CompareError(what, detail="\n".join(lines[-process.LAST_LINES :]), file=log)


def furnish(folder: Path) -> Path:
    """What is served, the same each time, and a certificate; the answer is the served folder."""
    served = folder / "served"
    served.mkdir()
    for size in (2, 8, 32, 128):
        (served / f"{size}k.txt").write_text(text(size * _KIB), encoding="ascii")
    for size in (256, 1024, 4096):
        (served / f"{size}k.bin").write_bytes(random.Random(size).randbytes(size * _KIB))
    process.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        log=folder / "openssl.log",
        error=CompareError,
        what="openssl makes no certificate",
    )
    return served


def text(size: int) -> str:
    """So many letters that gzip finds about as much in as in a page: words of a small language."""
    dice = random.Random(size)
    words = ["".join(dice.choices("abcdefghilmnoprstu", k=dice.randint(2, 9))) for _ in range(400)]
    said: list[str] = []
    length = 0
    while length < size:
        said.append(dice.choice(words))
        length += len(said[-1]) + 1
    return " ".join(said)[:size]
