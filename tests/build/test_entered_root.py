"""What runs in a root, as test_enterprise.py runs it, on a root of nothing but busybox."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build import enterprise
from tests.build.enterprise import System
from tests.tally import untested

APPLETS = ("cat", "env", "ls", "mount", "sh", "sleep", "touch")


@pytest.fixture
def system(tmp_path: Path) -> System:
    """busybox, the libraries that it needs, and devices."""
    program = shutil.which("busybox")
    if os.geteuid() != 0 or not program:
        untested("what runs in a root", "needs root, to enter it, and busybox")
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    for file in (program, *libraries):
        (tmp_path / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / file[1:])
    (tmp_path / "bin").mkdir(exist_ok=True)
    for name in APPLETS:
        (tmp_path / "bin" / name).symlink_to(program)
    enterprise.add_devices(tmp_path)
    return System(tmp_path)


def test_it_has_processes_and_mounts_of_its_own(system: System) -> None:
    """They end with it, and the host's environment does not reach it."""
    script = "echo $$; sleep 4567 & mount; echo ${LD_PRELOAD-none} $OWN; cat /dev/null"
    output = system.done("sh", "-c", script, OWN="own")

    first, *mounts, last = output.splitlines()
    assert ("1", "none own") == (first, last)
    assert any(" on /proc type proc" in line for line in mounts)
    assert str(system.root) not in Path("/proc/self/mounts").read_text()
    commands = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline")]
    assert b"sleep\x004567\x00" not in commands


def test_a_change_of_it_is_seen(system: System) -> None:
    """Except where programs write, whoever they are."""
    before = system.paths()
    system.done("sh", "-c", "touch /dev/shm/own /bin/own")

    assert {"bin/own"} == system.paths() - before
    assert [system.root / "bin/own"] == system.programs("ow?")
    assert [] == system.programs("none")


def test_a_failure_has_the_output(system: System) -> None:
    """Of a program that must succeed."""
    with pytest.raises(AssertionError, match="No such file"):
        system.done("ls", "/none")


def test_a_folder_without_rpm_is_refused(tmp_path: Path) -> None:
    """A root needs it."""
    with pytest.raises(AssertionError, match="has no package of rpm"):
        enterprise.install(tmp_path, tmp_path / "scratch")
