"""A checkout with a cache and a folder for temporary files of its own, to do harm to."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.build.conftest import ROOT

VERSION, DIST = "2.0.9", "el7"
BUILD = ("build", "--version", VERSION, "--dist", DIST)
NEVRA = f"mimalloc-custom-{VERSION}-1.{DIST}.x86_64"
KEY = "own@example.invalid"
SIGN = ("sign", "--key", KEY)
REPO = ("repo", "--key", KEY, "--url", "https://packages.test/x")

# Seconds that a killed run's programs have to be gone, and a run to come to an end.
GONE, PATIENCE = 20.0, 300

# It is the user's, outlives whoever was the first to need it, and ends with its folder.
_AGENT = "gpg-agent"

_DATA = ("recipes", "patches", "buildroot", "doors", "pipeline")
_FILES = ("tasks.py", "pyproject.toml", "README.md", "CHANGELOG.md", ".gitignore")


@dataclass(frozen=True)
class House:
    """The folders of a checkout: itself, its cache, where its temporary files go."""

    folder: Path

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.folder / "checkout"

    @property
    def cache(self) -> Path:
        """The cache, of which the folder of the layout is a part."""
        return self.folder / "cache"

    @property
    def scratch(self) -> Path:
        """Where temporary files go: whoever has it in the environment was started from here."""
        return self.folder / "tmp"

    @property
    def dist(self) -> Path:
        """The finished packages."""
        return self.root / "dist"

    def start(
        self, *arguments: str, before: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """Starts `invoke`, as a user does; ``before`` is what must stand before it."""
        return subprocess.Popen(
            [*before, "invoke", *arguments],
            cwd=self.root,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What tells a program that it is at work here."""
        return {"MIMALLOC_CACHE": str(self.cache), "TMPDIR": str(self.scratch)}

    def run(
        self, *arguments: str, before: Sequence[str] = (), **environment: str
    ) -> tuple[int, str]:
        """The exit code of a run, and all that it said."""
        child = self.start(*arguments, before=before, **environment)
        told, _ = child.communicate(timeout=PATIENCE)
        assert "Traceback" not in told, told
        return child.returncode, told

    def done(self, *arguments: str, before: Sequence[str] = (), **environment: str) -> str:
        """What a run said in which nothing may go wrong."""
        code, told = self.run(*arguments, before=before, **environment)
        assert 0 == code, told
        return told

    def programs(self) -> list[str]:
        """The command lines of what was started from here and still runs."""
        mark, found = f"TMPDIR={self.scratch}".encode(), []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = mark in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if marked and command and _AGENT not in command:
                found.append(command)
        return found

    def wait_until_gone(self) -> None:
        """Waits for the last program; fails where one does not end."""
        deadline = time.monotonic() + GONE
        while self.programs() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [] == self.programs()

    def held_locks(self) -> list[str]:
        """The locks that somebody holds, and goes on to hold."""
        deadline = time.monotonic() + GONE
        # A program that is all but gone has no environment any more, but its files.
        while (held := self._held()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return held

    def _held(self) -> list[str]:
        held = []
        for lock in (*self.root.glob(".locks/*.lock"), *self.cache.glob("*/locks/*.lock")):
            with lock.open("a") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held.append(lock.name)
        return held

    @property
    def pin(self) -> Path:
        """The cache's entry of the release."""
        entries = self.cache / workspace.FORMAT / "sha256"
        pinned = [entries / source.sha256 for source in load.recipe(self.root, VERSION).source]
        return next(entry for entry in pinned if entry.is_file())

    def spoilt_entries(self) -> list[str]:
        """The cache's entries that are not what their names say."""
        entries = self.cache.glob("*/sha256/[0-9a-f]*")
        return [entry.name for entry in entries if sha256_of(entry) != entry.name]

    def results(self) -> dict[str, str]:
        """The checksums of all in the dist folder, hidden or not, by their paths."""
        files = (file for file in self.dist.rglob("*") if file.is_file())
        return {str(file.relative_to(self.dist)): sha256_of(file) for file in files}

    def named(self) -> dict[str, str]:
        """The same, of those with a final name."""
        return {name: told for name, told in self.results().items() if "/." not in name}

    def keep(self) -> None:
        """Keeps a copy of all, to come back to."""
        subprocess.run(["cp", "-a", self.folder, self._kept], check=True)

    def renew(self) -> None:
        """Puts all back as it was kept, under the same paths: what is compiled stays so."""
        shutil.rmtree(self.folder)
        subprocess.run(["cp", "-a", self._kept, self.folder], check=True)

    @property
    def _kept(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.kept")

    def forget(self) -> None:
        """Takes away what was made."""
        for folder in (self.root / "work", self.dist):
            workspace.remove(folder)


def make(folder: Path) -> House:
    """A copy of the project; its cache has the sources of the user's, and nothing compiled."""
    house = House(folder)
    for each in (house.root, house.scratch):
        each.mkdir(parents=True)
    for name in _DATA:
        shutil.copytree(
            ROOT / name, house.root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in _FILES:
        shutil.copy(ROOT / name, house.root / name)
    entries = workspace.locate(ROOT).cache / "sha256"
    shutil.copytree(entries, house.cache / workspace.FORMAT / "sha256")
    return house
