"""The project under test: a checkout with a cache and a folder for temporary files of its own."""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.build import publisher
from tests.build.conftest import ROOT

VERSION, DIST = "2.0.9", "el7"
BUILD = ("build", "--version", VERSION, "--dist", DIST)
NEVRA = f"mimalloc-custom-{VERSION}-1.{DIST}.x86_64"
KEY = "own@example.invalid"
SIGN = ("sign", "--key", KEY)
REPO = ("repo", "--key", KEY, "--url", "https://packages.test/x")

# Seconds in which the programs of a killed run must end, and in which a run must end.
EXIT_TIMEOUT, TIMEOUT = 20.0, 300

# It is the user's: it outlives the run that started it, and ends with its folder.
_AGENT = "gpg-agent"

_DATA = ("recipes", "patches", "buildroot", "cli", "pipeline", "benchmarks")
_FILES = ("tasks.py", "pyproject.toml", "README.md", "CHANGELOG.md", ".gitignore")


@dataclass(frozen=True)
class Project:
    """A checkout, its cache, and its folder for temporary files, all in one folder."""

    folder: Path

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.folder / "checkout"

    @property
    def cache(self) -> Path:
        """The cache, with a folder for each layout."""
        return self.folder / "cache"

    @property
    def scratch(self) -> Path:
        """The folder for temporary files; a program with it in its environment is one of ours."""
        return self.folder / "tmp"

    @property
    def dist(self) -> Path:
        """The finished packages."""
        return self.root / "dist"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a run in this project."""
        return {"MIMALLOC_CACHE": str(self.cache), "TMPDIR": str(self.scratch)}

    def start(
        self, *arguments: str, before: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """Start `invoke`, as a user does; ``before`` is put before the command."""
        return subprocess.Popen(
            [*before, "invoke", *arguments],
            cwd=self.root,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def run(
        self, *arguments: str, before: Sequence[str] = (), **environment: str
    ) -> tuple[int, str]:
        """The exit code and the output of a run."""
        child = self.start(*arguments, before=before, **environment)
        output, _ = child.communicate(timeout=TIMEOUT)
        assert "Traceback" not in output, output
        return child.returncode, output

    def succeed(self, *arguments: str, before: Sequence[str] = (), **environment: str) -> str:
        """The output of a run that must not fail."""
        code, output = self.run(*arguments, before=before, **environment)
        assert 0 == code, output
        return output

    def running_programs(self) -> list[str]:
        """The command lines of programs that runs in this project have started and that run."""
        variable, commands = f"TMPDIR={self.scratch}".encode(), []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                ours = variable in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if ours and command and _AGENT not in command:
                commands.append(command)
        return commands

    def wait_for_programs(self) -> None:
        """Wait until all programs have ended; fail if one does not."""
        deadline = time.monotonic() + EXIT_TIMEOUT
        while self.running_programs() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [] == self.running_programs()

    def held_locks(self) -> list[str]:
        """The locks that are held, and stay so."""
        deadline = time.monotonic() + EXIT_TIMEOUT
        # A program that is about to end has no environment any more, but open files.
        while (locks := self._held_locks()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return locks

    def _held_locks(self) -> list[str]:
        names = []
        for lock in (*self.root.glob(".locks/*.lock"), *self.cache.glob("*/locks/*.lock")):
            with lock.open("a") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    names.append(lock.name)
        return names

    @property
    def cached_source(self) -> Path:
        """The source of the release in the cache."""
        folder = self.cache / workspace.FORMAT / "sha256"
        files = [folder / source.sha256 for source in load.recipe(self.root, VERSION).source]
        return next(file for file in files if file.is_file())

    def altered_sources(self) -> list[str]:
        """The files in the cache whose content is not what their names say."""
        files = self.cache.glob("*/sha256/[0-9a-f]*")
        return [file.name for file in files if sha256_of(file) != file.name]

    def checksums(self) -> dict[str, str]:
        """The checksums of all files in the dist folder, hidden or not, by their paths."""
        files = (file for file in self.dist.rglob("*") if file.is_file())
        return {str(file.relative_to(self.dist)): sha256_of(file) for file in files}

    def final_checksums(self) -> dict[str, str]:
        """Those of files that have their final name."""
        return {name: sha256 for name, sha256 in self.checksums().items() if "/." not in name}

    def save(self) -> None:
        """Save a copy of everything, for ``restore``."""
        subprocess.run(["cp", "-a", self.folder, self._copy], check=True)

    def restore(self) -> None:
        """Restore the copy under the same paths: what is compiled stays valid."""
        shutil.rmtree(self.folder)
        subprocess.run(["cp", "-a", self._copy, self.folder], check=True)

    @property
    def _copy(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.copy")

    def remove_results(self) -> None:
        """Remove what was built."""
        for folder in (self.root / "work", self.dist):
            workspace.remove(folder)


def make(folder: Path) -> Project:
    """A copy of the project; its cache has the user's sources, and nothing compiled."""
    project = Project(folder)
    for target in (project.root, project.scratch):
        target.mkdir(parents=True)
    for name in _DATA:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, project.root / name, ignore=ignored)
    for name in _FILES:
        shutil.copy(ROOT / name, project.root / name)
    publisher.set_contact(project.root)
    _fork_less(project.root / "pipeline" / "smoke" / "trials.py")
    sources = workspace.locate(ROOT).cache / "sha256"
    shutil.copytree(sources, project.cache / workspace.FORMAT / "sha256")
    return project


def _fork_less(trials: Path) -> None:
    """A tenth of the forks, which are a third of a check: the library is not what is tried here."""
    text, count = re.subn(r'("forks": \("\d+)0(", "4")', r"\1\2", trials.read_text())
    assert 1 == count
    trials.write_text(text)
