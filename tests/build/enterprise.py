"""A root of Enterprise Linux, made by its own rpm of a folder of its packages.

The host unpacks the packages once, to have an rpm of that dist; that one installs them into the
root, with their scriptlets. What is run in the root has processes, network and mounts of its own,
which end with it.
"""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
LIBRARY = "/usr/local/nginx-dep/lib64/libmimalloc.so"

_DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
_CPIO = ("cpio", "--extract", "--quiet", "--make-directories", "--no-absolute-filenames")
_UNSHARE = ("unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child")
_ENTER = 'ip link set lo up && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
_INSTALL = "rpm --root /target --initdb && rpm --root /target -i --nodeps /packages/*.rpm"

# Folders in which programs write, whoever they are.
_CHANGING = ("proc", "dev", "tmp", "run", "var")


@dataclass(frozen=True, slots=True)
class System:
    """An installation in a folder."""

    root: Path

    def command(self, *argv: str, **variables: str) -> list[str]:
        """What runs a program in it, with these variables and few others."""
        known = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C", "TZ": "UTC", **variables}
        settings = [f"{name}={value}" for name, value in known.items()]
        return [*_UNSHARE, "sh", "-c", _ENTER, str(self.root), "env", "-i", *settings, *argv]

    def run(self, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it, for ten minutes at most."""
        return subprocess.run(
            self.command(*argv, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
            check=False,
        )

    def done(self, *argv: str, **variables: str) -> str:
        """The output of a program that must succeed."""
        done = self.run(*argv, **variables)
        assert 0 == done.returncode, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def programs(self, name: str) -> list[Path]:
        """The files of a program; ``name`` may be a pattern."""
        folders = [self.root / folder.lstrip("/") for folder in PATH.split(":")]
        return [file for folder in folders for file in folder.glob(name)]

    def dist(self) -> str:
        """The dist tag of its C library's package."""
        release = self.done("rpm", "-q", "--qf", "%{RELEASE}", "glibc")
        found = re.search(r"\bel\d+", release)
        assert found, f"glibc's release is {release}, which has no dist tag such as el8"
        return found[0]

    def paths(self) -> set[str]:
        """All of its paths but those below folders in which programs write."""
        return set(_paths(self.root, self.root))


def _paths(folder: Path, root: Path) -> Iterator[str]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        yield str(path.relative_to(root))
        if entry.is_dir(follow_symlinks=False) and (folder != root or path.name not in _CHANGING):
            yield from _paths(path, root)


def add_devices(root: Path) -> None:
    """The devices that programs of a base system open, and where /proc is mounted."""
    for folder in ("dev/shm", "proc"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, minor in _DEVICES.items():
        path = root / "dev" / name
        path.unlink(missing_ok=True)
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.chmod(0o666)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        if not (root / "dev" / name).is_symlink():
            (root / "dev" / name).symlink_to(f"/proc/self/{target}")


def unpack(rpms: list[Path], root: Path) -> None:
    """Unpack packages over each other; the first has the folders that are links."""
    root.mkdir(parents=True)
    for rpm in sorted(rpms, key=lambda file: (not file.name.startswith("filesystem-"), file.name)):
        archive = subprocess.run(["rpm2cpio", rpm], check=True, capture_output=True).stdout
        subprocess.run([*_CPIO, "--unconditional"], input=archive, cwd=root, check=True)


def install(folder: Path, scratch: Path) -> System:
    """A root with all packages of a folder, installed by the rpm that is one of them."""
    rpms = sorted(folder.glob("*.rpm"))
    assert any(rpm.name.startswith("rpm-") for rpm in rpms), f"{folder} has no package of rpm"
    first = System(scratch / "first")
    unpack(rpms, first.root)
    target = first.root / "target"
    for root in (first.root, target):
        add_devices(root)
    (first.root / "packages").mkdir()
    for rpm in rpms:
        shutil.copy(rpm, first.root / "packages")
    done = first.run("sh", "-c", _INSTALL)
    system = System(target.rename(scratch / "system"))
    shutil.rmtree(first.root)
    installed = len(system.done("rpm", "-qa").split())
    assert len(rpms) == installed, f"{installed} of {len(rpms)}: {done.stdout}{done.stderr}"
    return system


def install_rpms(system: System, rpms: list[Path], *options: str) -> None:
    """Install, upgrade or downgrade packages by the root's own rpm."""
    folder = system.root / "tmp/rpms"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [f"/tmp/rpms/{Path(shutil.copy(rpm, folder)).name}" for rpm in rpms]
    system.done("rpm", *(options or ("-U",)), *names)
