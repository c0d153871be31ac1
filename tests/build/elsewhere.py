"""Another world to build in: another clock, user, umask, zone, locale, home and host; one core."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.toolchain import compiler

# Seconds that the other clock is ahead: years, and another time of the day.
AHEAD = 4000 * 86_400 + 5 * 3600
NOBODY = "65534"
HOST = "elsewhere"
# Where the small letter of I is another one than i.
LOCALE = "tr_TR.UTF-8"

# In a mount namespace of its own, /etc is a copy that has every program told another time, whatever
# environment it is started with. zig is linked statically, and asks the kernel.
ENTER = f"""
set -eu
mount --bind "$1/etc" /etc
"$2" -c 'import socket; socket.sethostname("{HOST}")'
shift 2
umask 077
exec "$@"
"""

# What the user's own settings may say, and no package may heed.
RPMMACROS = """
%packager Somebody Else
%_buildhost elsewhere
%_binary_payload w1.gzdio
%_source_payload w1.gzdio
%dist .else
"""
ENVIRONMENT = {
    "CFLAGS": "-O0 -g",
    "LDFLAGS": "-Wl,--build-id=none",
    "DESTDIR": "/elsewhere",
    "SOURCE_DATE_EPOCH": "1",
    # A zone of no place, so that no host lacks it: 13 hours and 45 minutes ahead.
    "TZ": "<+1345>-13:45",
    "LC_ALL": LOCALE,
}


@dataclass(frozen=True)
class Elsewhere:
    """What the other world has of its own is in the folder ``room``; it is built in from there.

    ``equipment`` is what all other worlds share: the clock, and the locale that is spoken there.
    """

    folder: Path
    equipment: Path

    @cached_property
    def gate(self) -> list[str] | None:
        """What makes a command root of namespaces, if only there; None where nothing does."""
        command = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount", "--uts"]
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
        return command if done.returncode == 0 else None

    @property
    def user(self) -> str:
        """Who one is there: root becomes nobody, and whoever is not root becomes root."""
        if not self.gate:
            return str(os.geteuid())
        return "0" if os.geteuid() else NOBODY

    @property
    def cache(self) -> Path:
        """The user's cache: verified sources, and nothing that a compiler has left."""
        return self.folder / "cache"

    @property
    def home(self) -> Path:
        """The user's home, with settings of rpm in it."""
        return self.folder / "home"

    @property
    def speaks(self) -> bool:
        """Whether the locale is there: it is made of what not every host has."""
        return (self.equipment / LOCALE).is_dir()

    def furnish(self, sources: Path) -> None:
        """Make the copy of /etc, the home and the cache."""
        shutil.copytree("/etc", self.folder / "etc", symlinks=True, ignore=_closed)
        (self.folder / "etc" / "ld.so.preload").write_text(f"{self.equipment / 'clock.so'}\n")
        shutil.copytree(sources / "sha256", self.cache / "v1" / "sha256")
        for folder in (self.home, self.folder / "tmp"):
            folder.mkdir()
        (self.home / ".rpmmacros").write_text(RPMMACROS)

    def lacking(self) -> Iterator[tuple[str, str]]:
        """What is not another than here, and what that would need."""
        if not self.gate:
            needed = "needs root, or a host that lets its users make namespaces"
            yield "a build by another user, on a host of another name,", needed
            yield "what rpmbuild and cmake do under another clock (Python was)", needed
        if len(os.sched_getaffinity(0)) < 2:
            yield "a build with fewer cores", "this host has one"
        if not self.speaks:
            yield "a build in a Turkish locale", "needs localedef and the sources of locales"

    def take(self, checkout: Path) -> Path:
        """Move a checkout there, for the other user to work in."""
        moved = Path(shutil.move(checkout, self.folder / "checkout"))
        if self.user == NOBODY:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.folder], check=True)
        return moved

    def run(self, folder: Path, *command: str | Path) -> str:
        """What a program prints that is run there, in a folder."""
        done = subprocess.run(
            [*self._way(), *map(str, command)],
            cwd=folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            umask=0o077,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def _way(self) -> list[str]:
        way = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
        if not self.gate:
            return way
        if self.user == NOBODY:
            # Nobody's, but for being able to read: the environment may be in a closed home. The
            # secure bit has access(2), which cmake looks with, know of that.
            reading = "+dac_read_search"
            way += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            way += [f"--inh-caps={reading}", f"--ambient-caps={reading}"]
            way += ["--securebits=+no_setuid_fixup"]
        return [*self.gate, "sh", "-c", ENTER, "sh", str(self.folder), sys.executable, *way]

    def _environment(self) -> dict[str, str]:
        preload = {} if self.gate else {"LD_PRELOAD": str(self.equipment / "clock.so")}
        return {
            **ENVIRONMENT,
            **preload,
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.folder / "tmp"),
            "MIMALLOC_CACHE": str(self.cache),
            "LOCPATH": str(self.equipment),
        }


def equip(folder: Path, environment: Mapping[str, str]) -> None:
    """Compile the clock and, where the host can, the locale into a folder.

    ``environment`` is that of the compiler.
    """
    source = Path(__file__).with_name("clock.c")
    command: list[str | Path] = [compiler.zig(), "cc"]
    command += ["-shared", "-fPIC", "-nostdlib", "-O2", f"-DAHEAD={AHEAD}"]
    command += ["-o", folder / "clock.so", source]
    subprocess.run(command, check=True, env={**os.environ, **environment})
    if shutil.which("localedef"):
        language, charset = LOCALE.split(".")
        command = ["localedef", "--force", "-i", language, "-f", charset, folder / LOCALE]
        # It warns of what the locale's own authors have left out, and then exits with 1.
        subprocess.run(command, check=False, capture_output=True)


def _closed(folder: str, names: list[str]) -> set[str]:
    """What not everybody may read, keys and passwords, is not copied."""
    return {name for name in names if not _open(Path(folder, name))}


def _open(path: Path) -> bool:
    if path.is_symlink():
        return True
    needed = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & needed == needed and (path.is_dir() or path.is_file())
