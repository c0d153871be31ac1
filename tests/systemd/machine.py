"""A machine: Debian with systemd as PID 1 in systemd-nspawn, with a network of its own."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.system import workspace
from tests.build import debian
from tests.build.conftest import ROOT
from tests.tally import TRIED, untested

WHAT = "the packages on a machine with systemd"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "nginx-light", "haproxy", "redis-server", "php8.2-fpm"),
    *("dnf", "rpm", "gpg", "curl", "lsof", "procps", "busybox-static"),
)
PROGRAMS = ("mmdebstrap", "nsenter", "systemd-nspawn")
LEFT_OUT = ("doc", "locale", "man")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "HOME": "/root",
}

Done = subprocess.CompletedProcess[str]


def image() -> Path:
    """The root as a tar file of 310 MB, made once and kept in the user's cache folder.

    Skips, with a notice, where there cannot be a machine.
    """
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if os.geteuid() != 0 or missing:
        untested(WHAT, f"needs root and {', '.join(PROGRAMS)}; missing: {missing}")
    options = ["--format=tar", "--dpkgopt=force-unsafe-io"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    key = hashlib.sha256(repr((PACKAGES, options)).encode()).hexdigest()[:16]
    file = workspace.locate(ROOT).cache / "machine" / f"{key}.tar"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        for other in file.parent.glob("*.tar"):
            other.unlink(missing_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        try:
            debian.bootstrap(WHAT, part, PACKAGES, *options)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    return file


@dataclass(frozen=True)
class Machine:
    """A machine that runs, by the process id of its systemd."""

    init: int

    @property
    def files(self) -> Path:
        """Its root folder, as its systemd sees it."""
        return Path(f"/proc/{self.init}/root")

    def run(self, *arguments: str | Path, code: int | None = 0) -> Done:
        """Runs a program on it, which must end with this exit code."""
        command = ["nsenter", "--all", "--target", str(self.init), "--", *map(str, arguments)]
        done = subprocess.run(
            command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
        )
        message = f"{' '.join(command[5:])}\n{done.stdout}{done.stderr}"
        assert code in (None, done.returncode), f"{done.returncode}: {message}"
        return done

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file, and makes its folder."""
        file = self.files / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def property(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A client's requests in the meantime are all answered."""
        command = ["nsenter", "--net", "--target", str(self.init), sys.executable]
        with subprocess.Popen(
            [*command, str(Path(__file__).with_name("client.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as client:  # fmt: skip
            assert client.stdout
            assert "started\n" == client.stdout.readline()
            yield
            results = json.loads(client.communicate(timeout=30)[0])
        assert {"200"} == set(results), results
        TRIED["requests while nginx was changed"] += results["200"]


def wait_until(what: str, condition: Callable[[], object], seconds: float = 30) -> None:
    """Until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s: not {what}"
        time.sleep(0.05)


def _control_groups(name: str) -> list[Path]:
    """A control group for the machine in each tree of systemd's: two machines cannot share one."""
    top = Path("/sys/fs/cgroup")
    trees = [top] if (top / "cgroup.controllers").exists() else [top / "systemd", top / "unified"]
    groups = [tree / name for tree in trees if tree.is_dir()]
    try:
        for group in groups:
            group.mkdir()
    except OSError as problem:
        untested(WHAT, f"needs a control group of its own: {problem}")
    return groups or untested(WHAT, f"no control groups of systemd in {top}")


def _remove_groups(groups: list[Path]) -> None:
    for group in groups:
        for folder in sorted((group, *group.rglob("*/")), reverse=True):
            with suppress(OSError):
                folder.rmdir()


def _init_of(container: subprocess.Popen[bytes], log: Path) -> int:
    """The process id of the container's systemd, once that is up."""

    def found() -> int:
        if container.poll() is not None:
            untested(WHAT, f"systemd-nspawn ended: {log.read_text(errors='replace')[-500:]}")
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        for child in children:
            with suppress(OSError):
                status = Path(f"/proc/{child}/status").read_text()
                if f"NSpid:\t{child}\t1\n" in status and "Name:\tsystemd\n" in status:
                    return int(child)
        return 0

    wait_until("a systemd in the container", found)
    return found()


@contextmanager
def started(image: Path, *binds: Path) -> Iterator[Machine]:
    """A machine with a fresh root, which sees these folders; it is powered off at last."""
    name = f"mimalloc-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        root, log = Path(folder) / "root", Path(folder) / "console"
        root.mkdir()
        subprocess.run(["tar", "--numeric-owner", "-C", root, "-xf", image], check=True)
        groups = _control_groups(name)
        options = ["--quiet", "--keep-unit", "--register=no", "--private-network"]
        options += ["--console=pipe", "--kill-signal=SIGRTMIN+14"]
        options += [f"--machine={name}", f"--directory={root}"]
        options += [f"--bind-ro={bind}" for bind in binds]
        join = 'for group in $0; do echo $$ >"$group/cgroup.procs"; done; exec "$@"'
        command = ["sh", "-ec", join, " ".join(map(str, groups))]
        with log.open("wb") as console:
            container = subprocess.Popen(
                [*command, "setpriv", "--pdeathsig=TERM", "systemd-nspawn", *options, "--boot"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        try:
            machine = Machine(_init_of(container, log))
            machine.run("systemctl", "is-system-running", "--wait", code=None)
            yield machine
        finally:
            _power_off(container)
            _remove_groups(groups)


def _power_off(container: subprocess.Popen[bytes]) -> None:
    """Makes its systemd power off at once; to kill systemd-nspawn would leave that behind."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    left = children.read_text().split() if container.poll() is None else []
    container.terminate()
    try:
        container.wait(60)
    except subprocess.TimeoutExpired:
        for child in left:
            os.kill(int(child), 9)
        container.wait(60)
