"""A second build environment: another clock, user, umask, zone, locale, home and host; one core."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.toolchain import compiler

# Seconds that its clock is ahead: years, and another time of the day.
AHEAD = 4000 * 86_400 + 5 * 3600
NOBODY = "65534"
HOST = "otherhost"
# In it, the lower case of I is not i.
LOCALE = "tr_TR.UTF-8"

# In a mount namespace, /etc is a copy whose ld.so.preload gives programs another time, whatever
# its environment. zig is linked statically, and has the time of the kernel.
ENTER = f"""
set -eu
mount --bind "$1/etc" /etc
"$2" -c 'import socket; socket.sethostname("{HOST}")'
shift 2
umask 077
exec "$@"
"""

# Settings of the user that must not change a package.
RPMMACROS = """
%packager Somebody Else
%_buildhost otherhost
%_binary_payload w1.gzdio
%_source_payload w1.gzdio
%dist .else
"""
ENVIRONMENT = {
    "CFLAGS": "-O0 -g",
    "LDFLAGS": "-Wl,--build-id=none",
    "DESTDIR": "/otherhost",
    "SOURCE_DATE_EPOCH": "1",
    # A zone that every host has, since it names no place: 13 hours and 45 minutes ahead.
    "TZ": "<+1345>-13:45",
    "LC_ALL": LOCALE,
}


@dataclass(frozen=True)
class OtherEnvironment:
    """A build environment with its own ``folder`` for /etc, home, cache and checkout.

    ``shared`` is the folder that all environments use: the library of the clock, and the locale.
    """

    folder: Path
    shared: Path

    @cached_property
    def namespaces(self) -> list[str] | None:
        """The prefix that runs a command as root in namespaces; None where that is not allowed."""
        command = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount", "--uts"]
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
        return command if done.returncode == 0 else None

    @property
    def user(self) -> str:
        """The user of a build: nobody for root, and root for any other user."""
        if not self.namespaces:
            return str(os.geteuid())
        return "0" if os.geteuid() else NOBODY

    @property
    def cache(self) -> Path:
        """The user's cache: verified sources, and no files of a compiler."""
        return self.folder / "cache"

    @property
    def home(self) -> Path:
        """The user's home, with settings of rpm in it."""
        return self.folder / "home"

    @property
    def has_locale(self) -> bool:
        """Whether the locale could be compiled: not every host has its sources."""
        return (self.shared / LOCALE).is_dir()

    def prepare(self, sources: Path) -> None:
        """Make the copy of /etc, the home and the cache."""
        shutil.copytree("/etc", self.folder / "etc", symlinks=True, ignore=_unreadable)
        (self.folder / "etc" / "ld.so.preload").write_text(f"{self.shared / 'clock.so'}\n")
        shutil.copytree(sources / "sha256", self.cache / "v1" / "sha256")
        for folder in (self.home, self.folder / "tmp"):
            folder.mkdir()
        (self.home / ".rpmmacros").write_text(RPMMACROS)

    def missing(self) -> Iterator[tuple[str, str]]:
        """What is the same as in this environment, and what would be needed to change it."""
        if not self.namespaces:
            needed = "needs root, or a host that lets its users make namespaces"
            yield "a build by another user, on a host of another name,", needed
            yield "what rpmbuild and cmake do under another clock (Python was)", needed
        if len(os.sched_getaffinity(0)) < 2:
            yield "a build with fewer cores", "this host has one"
        if not self.has_locale:
            yield "a build in a Turkish locale", "needs localedef and the sources of locales"

    def move(self, checkout: Path) -> Path:
        """Move a checkout into the folder, and give it to the other user."""
        moved = Path(shutil.move(checkout, self.folder / "checkout"))
        if self.user == NOBODY:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.folder], check=True)
        return moved

    def run(self, folder: Path, *command: str | Path) -> str:
        """The output of a program that runs in this environment, in a folder."""
        done = subprocess.run(
            [*self._prefix(), *map(str, command)],
            cwd=folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            umask=0o077,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def _prefix(self) -> list[str]:
        prefix = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
        if not self.namespaces:
            return prefix
        if self.user == NOBODY:
            # Nobody, with one capability, to read a Python environment in a closed home folder.
            # With the secure bit, access(2), which cmake uses, honours the capability.
            capability = "+dac_read_search"
            prefix += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            prefix += [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
            prefix += ["--securebits=+no_setuid_fixup"]
        return [
            *self.namespaces,
            "sh",
            "-c",
            ENTER,
            "sh",
            str(self.folder),
            sys.executable,
            *prefix,
        ]

    def _environment(self) -> dict[str, str]:
        preload = {} if self.namespaces else {"LD_PRELOAD": str(self.shared / "clock.so")}
        return {
            **ENVIRONMENT,
            **preload,
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.folder / "tmp"),
            "MIMALLOC_CACHE": str(self.cache),
            "LOCPATH": str(self.shared),
        }


def build_shared(folder: Path, environment: Mapping[str, str]) -> None:
    """Compile the library of the clock and, where possible, the locale into a folder.

    ``environment`` is that of the compiler.
    """
    source = Path(__file__).with_name("clock.c")
    command: list[str | Path] = [compiler.program("zig"), "cc"]
    command += ["-shared", "-fPIC", "-nostdlib", "-O2", f"-DAHEAD={AHEAD}"]
    command += ["-o", folder / "clock.so", source]
    subprocess.run(command, check=True, env={**os.environ, **environment})
    if shutil.which("localedef"):
        language, charset = LOCALE.split(".")
        command = ["localedef", "--force", "-i", language, "-f", charset, folder / LOCALE]
        # It warns of gaps in the locale's sources, and then exits with 1.
        subprocess.run(command, check=False, capture_output=True)


def _unreadable(folder: str, names: list[str]) -> set[str]:
    """What not every user may read, such as keys and passwords, is not copied."""
    return {name for name in names if not _is_readable(Path(folder, name))}


def _is_readable(path: Path) -> bool:
    if path.is_symlink():
        return True
    needed = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & needed == needed and (path.is_dir() or path.is_file())
