"""A dist is added by what CONTRIBUTING says alone: Enterprise Linux 11, which there is not yet."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build.conftest import ARCH, NEWEST, ROOT, Package, share_steps

DIST = "el11"

# Made up, but for the floor: with that of el10 nothing is compiled, as mimalloc uses nothing newer.
VALUES = {
    'dist = "el10"': 'dist = "el11"',
    'title = "Enterprise Linux 10"': 'title = "Enterprise Linux 11"',
    'succeeds = "el9"': 'succeeds = "el10"',
    'glibc = "2.39"': 'glibc = "2.43"',
    "until = 2035-05-31": "until = 2038-05-31",
    'version = "4.19.1.1"': 'version = "6.0.1"',
    'isa = "x86-64-v3"': 'isa = "x86-64-v3"\nfloor = "2.39"',
}


def _commands() -> list[str]:
    """The commands of the section that name this dist, and of its tests, in their order."""
    _, _, section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a dist\n")
    section, _, _ = section.partition("\n## ")
    words = re.findall(r"`((?:cp|pytest|invoke) [^`]+)`", section)
    return [word for word in words if DIST in word or word.startswith("pytest ")]


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    module = [sys.executable, "-m", program] if program != "cp" else [program]
    return subprocess.run(
        [*module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def el11(package: Package, checkout: Path) -> Path:
    """A copy of the project in which the default package of el10 is compiled, with its tests."""
    package(NEWEST, "el10")
    share_steps(checkout)
    shutil.copytree(ROOT / "tests", checkout / "tests")
    return checkout


def test_a_dist_is_added_by_the_text(el11: Path) -> None:
    """Every command of the text ends well, and the package has passed its checks."""
    copy, *others = _commands()
    assert 0 == _run(copy, el11).returncode
    file = el11 / "buildroot" / f"{DIST}.toml"
    text = file.read_text()
    for old, new in VALUES.items():
        assert 1 == text.count(old)
        text = text.replace(old, new)
    file.write_text(text)

    results = [_run(command, el11) for command in others]

    assert [0] * 4 == [done.returncode for done in results], results
    assert (el11 / "dist" / DIST / ARCH / f"mimalloc-custom-{NEWEST}-1.{DIST}.{ARCH}.rpm").is_file()
    assert "paths, as in its manifest" in results[2].stdout


def test_what_it_loses_is_caught_by_the_text(el11: Path) -> None:
    """An older C library than that of the dist that it says it succeeds."""
    copy, monotone, *_ = _commands()
    _run(copy, el11)
    file = el11 / "buildroot" / f"{DIST}.toml"
    text = file.read_text()
    for old, new in {**VALUES, 'glibc = "2.39"': 'glibc = "2.34"'}.items():
        text = text.replace(old, new)
    file.write_text(text)

    done = _run(monotone, el11)

    assert 1 == done.returncode
    assert "glibc: 2.39, then 2.34" in done.stdout
