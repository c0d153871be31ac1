"""dnf and rpm for a scratch root, without the settings of this host."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class System:
    """A scratch root; ``as_root`` is the prefix of commands that need root."""

    root: Path
    scratch: Path
    as_root: list[str]

    def dnf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs dnf with the root's repositories, without the settings of this host."""
        settings = {
            "reposdir": self.root / "etc" / "yum.repos.d",
            "cachedir": self.scratch / "cache",
            "logdir": self.scratch,
            "persistdir": self.scratch / "persist",
            "varsdir": self.scratch,
            "pluginpath": self.scratch,
        }
        config = self.scratch / "dnf.conf"
        config.write_text("[main]\n")
        command = [*self.as_root, "dnf", "--config", str(config), "--assumeyes"]
        command += [f"--installroot={self.root}", "--releasever=8"]
        command += [f"--setopt={name}={value}" for name, value in settings.items()]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=120
        )

    def done(self, *arguments: str) -> str:
        """Runs dnf, which must succeed; its output."""
        result = self.dnf(*arguments)
        assert 0 == result.returncode, result.stdout + result.stderr
        return result.stdout

    def rpm(self, *arguments: str | Path) -> str:
        """The output of rpm for the root."""
        command = [*self.as_root, "rpm", "--root", self.root, *arguments]
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False
        ).stdout

    def add_repository(self, file: Path) -> None:
        """Installs a `.repo` file, as the page says."""
        folder = self.root / "etc" / "yum.repos.d"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / "mimalloc-custom.repo")

    def files(self) -> list[str]:
        """The files of our packages in the root."""
        folders = [*self.root.glob("usr/local/*"), *self.root.glob("usr/lib/.build-id")]
        return sorted(str(path) for folder in folders for path in [folder, *folder.rglob("*")])
