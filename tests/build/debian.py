"""Packages of another Debian, for the C library of its time, by the apt of this host.

The C library of this host has no malloc hooks any more; that of Debian 11, 2.31, is the newest in
reach that has them.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.tally import untested

OLDER, CURRENT = "bullseye", "bookworm"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Debian's names of architectures.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def unpacked(
    folder: Path, arch: str, *names: str, closure: bool = False, suite: str = OLDER
) -> Path:
    """A root with these packages, and with all that they need if ``closure`` is set.

    No script of a package runs. Skips, with a notice, where the packages cannot be had.
    """
    apt = ["apt-get", *_options(folder / "apt", ARCHITECTURES[arch], suite)]
    action = ["--download-only", "--yes", "install"] if closure else ["download"]
    for command in ([*apt, "update"], [*apt, *action, *names]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        if done.returncode != 0:
            untested(f"{names[0]} of {suite} on {arch}", done.stderr.strip() or "apt-get failed")
    for file in [*folder.glob("*.deb"), *folder.glob("apt/archives/*.deb")]:
        subprocess.run(["dpkg-deb", "-x", file, folder / "root"], check=True)
    return folder / "root"


def bootstrap(what: str, target: Path, packages: Iterable[str], *options: str) -> None:
    """Installs a Debian with packages into a folder, or with ``--format=tar`` into a file.

    Skips, with a notice of what is untested, where it cannot be had. Needs root.
    """
    # What it mounts below the folder ends with it, so that nothing else is removed with the folder.
    command = ["unshare", "--mount", "timeout", "1800", "mmdebstrap", "--quiet"]
    command += ["--variant=minbase", f"--include={','.join(packages)}", *options, CURRENT]
    done = subprocess.run(
        [*command, target, mirror()], stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        untested(what, f"mmdebstrap failed: {done.stderr[-500:]}")


def _options(folder: Path, arch: str, suite: str) -> list[str]:
    """apt's options for folders of its own: the host's configuration is read, and not changed."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    entry = f"deb [signed-by={KEYS}] {mirror()} {suite} main\n"
    (folder / "sources.list").write_text(entry)
    settings = {
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::Cache": folder,
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


@cache
def mirror() -> str:
    """Where this host's packages come from; skips, with a notice, where that is not known."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb") and KEYS.is_file()):
        untested("an older C library", f"needs apt-get, dpkg-deb, {KEYS}")
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(SUITE)"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"^(\S+) Debian [a-z]+$", lines, re.MULTILINE)
    return found[1] if found else untested("an older C library", "no archive of Debian is set up")
