"""Another world to build in: another clock, user, umask, time zone, locale, home; one core."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Some years ahead, in seconds; the clock goes on from there.
AHEAD = "+150000000"
NOBODY = "65534"

# In a mount namespace of its own, /etc is a copy in which every program, whatever environment we
# start it with, is given another clock. zig is linked statically, and asks the kernel.
INTO = """
set -eu
: >"$ELSEWHERE/etc/ld.so.preload"
mount --bind "$ELSEWHERE/etc" /etc
exec "$@"
"""

# The clock's own shared memory belongs to the first who loads it, so the user changes before.
THERE = """
set -eu
umask 077
cat /etc/faketime-library >/etc/ld.so.preload
exec "$@"
"""


@dataclass(frozen=True)
class Elsewhere:
    """Runs programs there. ``as_root`` is what makes a command root, if only of a namespace."""

    room: Path
    as_root: list[str]

    @property
    def cache(self) -> Path:
        """The caches: verified sources, and nothing that a compiler has left."""
        return self.room / "cache"

    @property
    def clock(self) -> Path | None:
        """The library that tells programs another time, where the host has it."""
        return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

    def furnish(self, sources: Path) -> None:
        """Make the copy of /etc, the locale and the caches."""
        subprocess.run(["cp", "--archive", "/etc", self.room / "etc"], check=True)
        (self.room / "etc" / "faketime-library").write_text(f"{self.clock}\n")
        (self.room / "etc" / "ld.so.preload").touch()
        (self.room / "etc" / "faketimerc").write_text(f"{AHEAD}\n")
        locale = self.room / "locale" / "tr_TR.UTF-8"
        locale.parent.mkdir()
        # It warns of what the locale's own authors have left out.
        command = ["localedef", "--force", "-i", "tr_TR", "-f", "UTF-8", str(locale)]
        subprocess.run(command, check=False, capture_output=True)
        assert (locale / "LC_CTYPE").is_file()
        shutil.copytree(sources / "sha256", self.cache / "v1" / "sha256")
        (self.room / "home").mkdir()

    def take(self, checkout: Path) -> Path:
        """Move a checkout there, for the other user to work in, where there is one."""
        moved = Path(shutil.move(checkout, self.room / "checkout"))
        if not self.as_root:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.room], check=True)
        return moved

    def run(self, folder: Path, *command: str | Path) -> str:
        """What a program prints that is run there, in a folder."""
        words = [*(self.as_root or ["unshare", "--mount"]), "sh", "-c", INTO, "sh"]
        words += ["taskset", "--cpu-list", "0"]
        if not self.as_root:
            # Nobody's, but for being able to read: the environment may be in a closed home.
            reading = "+dac_read_search"
            words += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            words += [f"--inh-caps={reading}", f"--ambient-caps={reading}"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.room / "home"),
            "LC_ALL": "tr_TR.UTF-8",
            "LOCPATH": str(self.room / "locale"),
            "TZ": "Pacific/Kiritimati",
            "MIMALLOC_CACHE": str(self.cache),
            "ELSEWHERE": str(self.room),
        }
        done = subprocess.run(
            [*words, "sh", "-c", THERE, "sh", *map(str, command)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout
