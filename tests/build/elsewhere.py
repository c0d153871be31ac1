"""Another world to build in: another clock, user, umask, time zone, locale, home, host; one core."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Ahead of ours, and another time of the day. Behind it no package is made: the build-id links, which
# rpmbuild makes itself, would be older than the release, and the check refuses such times.
AHEAD = 4000 * 86_400 + 5 * 3600
NOBODY = "65534"
HOST = "elsewhere"
# Where the small letter of I is another one than i.
LOCALE = "tr_TR.UTF-8"

# In a mount namespace of its own, /etc is a copy, with which every program can be given another
# clock, whatever environment it is started with. libfaketime's shared memory stays in there, too.
ENTER = f"""
set -eu
mount --bind "$1/etc" /etc
mount -t tmpfs -o mode=1777 none /dev/shm
"$2" -c 'import socket; socket.sethostname("{HOST}")'
shift 2
exec "$@"
"""

# That memory is of the first user who comes to need it, so the clock comes after the user.
SETTLE = """
set -eu
umask 077
[ -z "$CLOCK" ] || echo "$CLOCK" >/etc/ld.so.preload
unset CLOCK
exec "$@"
"""

# What a user's own settings may say, and no package may heed.
RPMMACROS = "%packager Somebody Else\n%_buildhost elsewhere\n%_binary_payload w1.gzdio\n%dist .else\n"
HEEDLESS = {
    "CFLAGS": "-O0 -g",
    "LDFLAGS": "-Wl,--build-id=none",
    "SOURCE_DATE_EPOCH": "1",
    "DESTDIR": "/elsewhere",
}


@dataclass(frozen=True)
class Elsewhere:
    """A folder with all that the other world has of its own, and the locale that is spoken there."""

    room: Path
    locales: Path

    @cached_property
    def gate(self) -> list[str] | None:
        """What makes a command root of namespaces, if only there; None where nothing does."""
        command = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount", "--uts"]
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
        return command if done.returncode == 0 else None

    @cached_property
    def clock(self) -> Path | None:
        """The library that tells programs another time."""
        return next(Path("/usr").glob("lib*/**/faketime/libfaketimeMT.so.1"), None)

    @property
    def user(self) -> str:
        """Who one is there: root becomes nobody, and whoever is not root becomes root."""
        if not self.gate:
            return str(os.geteuid())
        return "0" if os.geteuid() else NOBODY

    @property
    def cache(self) -> Path:
        """The user's cache: verified sources, and nothing that a compiler has left."""
        return self.room / "cache"

    def furnish(self, sources: Path) -> None:
        """Make the copy of /etc, the home and the cache."""
        shutil.copytree("/etc", self.room / "etc", symlinks=True, ignore=_closed)
        (self.room / "etc" / "faketimerc").write_text(f"+{AHEAD}\n")
        shutil.copytree(sources / "sha256", self.cache / "v1" / "sha256")
        for name in ("home", "tmp"):
            (self.room / name).mkdir()
        (self.room / "home" / ".rpmmacros").write_text(RPMMACROS)

    def lacking(self) -> Iterator[tuple[str, str]]:
        """What is not another than here, and what that would need."""
        if not self.clock:
            yield "a build under another clock", "no libfaketime; see buildroot/host-programs.txt"
        if not self.gate:
            needed = "needs root, or a host that lets its users make namespaces"
            yield "a build by another user, on a host with another name,", needed
            yield "what rpmbuild and cmake do under another clock (Python was)", needed
        if len(os.sched_getaffinity(0)) < 2:
            yield "a build with fewer cores", "this host has one"
        if not (self.locales / LOCALE).is_dir():
            yield "a build in a Turkish locale", "needs localedef, and the sources of the locales"

    def take(self, checkout: Path) -> Path:
        """Move a checkout there, for the other user to work in."""
        moved = Path(shutil.move(checkout, self.room / "checkout"))
        if self.user == NOBODY:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.room], check=True)
        return moved

    def run(self, folder: Path, *command: str | Path) -> str:
        """What a program prints that is run there, in a folder."""
        done = subprocess.run(
            [*self._way(), *map(str, command)],
            cwd=folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def _way(self) -> list[str]:
        core = str(min(os.sched_getaffinity(0)))
        way = ["taskset", "--cpu-list", core, "sh", "-c", SETTLE, "sh"]
        if not self.gate:
            return [*way, *(["faketime", "-f", f"+{AHEAD}"] if self.clock else [])]
        if self.user == NOBODY:
            # Nobody's, but for being able to read: the environment may be in a closed home. The
            # secure bit has access(2), which cmake looks with, know of that.
            reading = "+dac_read_search"
            become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            become += [f"--inh-caps={reading}", f"--ambient-caps={reading}"]
            way = [*become, "--securebits=+no_setuid_fixup", *way]
        return [*self.gate, "sh", "-c", ENTER, "sh", str(self.room), sys.executable, *way]

    def _environment(self) -> dict[str, str]:
        return {
            **HEEDLESS,
            "PATH": os.environ["PATH"],
            "CLOCK": str(self.clock or "") if self.gate else "",
            "HOME": str(self.room / "home"),
            "TMPDIR": str(self.room / "tmp"),
            "MIMALLOC_CACHE": str(self.cache),
            "LC_ALL": LOCALE,
            "LOCPATH": str(self.locales),
            # A zone of no place, so that no host lacks it: 13 hours and 45 minutes ahead.
            "TZ": "<+1345>-13:45",
        }


def make_locale(folder: Path) -> None:
    """Compile the locale into a folder, where the host can."""
    language, charset = LOCALE.split(".")
    if shutil.which("localedef"):
        # It warns of what the locale's own authors have left out, and then exits with 1.
        command = ["localedef", "--force", "-i", language, "-f", charset, str(folder / LOCALE)]
        subprocess.run(command, check=False, capture_output=True)


def _closed(folder: str, names: list[str]) -> set[str]:
    """What not everybody may read, keys and passwords, is not copied."""
    return {name for name in names if not _open(Path(folder, name))}


def _open(path: Path) -> bool:
    if path.is_symlink():
        return True
    needed = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & needed == needed and (path.is_dir() or path.is_file())
