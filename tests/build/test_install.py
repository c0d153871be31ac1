"""A package goes in, verifies and comes out without a trace: real rpm, in a root of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build.conftest import DISTS, EVERY, Package

Rpm = Callable[..., str]


@pytest.fixture
def rpm(tmp_path: Path, as_root: list[str]) -> Rpm:
    """Runs rpm on the scratch root."""
    (tmp_path / "usr").mkdir()

    def run(*arguments: str | Path) -> str:
        where = ["--root", str(tmp_path), "--dbpath", "/var/lib/rpm"]
        command = [*as_root, "rpm", *where, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr
        return done.stdout + done.stderr

    return run


# The C library that the package needs is not in the scratch root.
INSTALL = ("-U", "--nodeps", "--nosignature")


def left(root: Path) -> list[str]:
    """What of ours is in the root."""
    ours = [*root.glob("usr/local"), *root.glob("usr/lib/.build-id")]
    return [str(path.relative_to(root)) for top in ours for path in [top, *top.rglob("*")]]


@pytest.mark.parametrize(("version", "dist"), EVERY)
def test_a_removal_leaves_no_folder_behind(
    package: Package, rpm: Rpm, tmp_path: Path, version: str, dist: str
) -> None:
    """Swept or owned, every folder that came with the package goes with it."""
    built = package(version, dist)
    rpm(*INSTALL, built.rpm)
    assert (tmp_path / str(built.plan.library).lstrip("/")).is_file()
    # rpm -V: silent where size, digest, mode, owner, link and time are as packaged.
    assert "" == rpm("-V", "--nodeps", "mimalloc-custom")

    rpm("-e", "mimalloc-custom")

    below_usr = {"usr/local", "usr/lib/.build-id"} & set(left(tmp_path))
    assert [] == [path for path in left(tmp_path) if "nginx-dep" in path]
    assert below_usr <= {"usr/local"}


@pytest.mark.parametrize("dist", DISTS)
def test_an_upgrade_takes_the_old_folders_with_it(
    package: Package, rpm: Rpm, tmp_path: Path, dist: str
) -> None:
    """From 2.0 to 3.4 the folders named after 2.0 go, and the shared ones stay."""
    old, new = package("2.0.9", dist), package("3.4.3", dist)
    rpm(*INSTALL, old.rpm)

    rpm(*INSTALL, new.rpm)

    names = left(tmp_path)
    assert not [name for name in names if "mimalloc-2.0" in name]
    assert "usr/local/nginx-dep/include/mimalloc-3.4/mimalloc.h" in names


def test_what_others_put_there_stays(package: Package, rpm: Rpm, tmp_path: Path) -> None:
    """A folder with somebody else's file in it survives the removal."""
    built = package("3.4.3", "el8")
    rpm(*INSTALL, built.rpm)
    other = tmp_path / "usr/local/nginx-dep/lib64/libjemalloc.so.2"
    other.write_text("somebody else's")

    rpm("-e", "mimalloc-custom")

    assert ["usr/local/nginx-dep/lib64/libjemalloc.so.2"] == [
        name for name in left(tmp_path) if (tmp_path / name).is_file()
    ]
