"""Packages are installed, verified and erased by real rpm, in a root of its own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build.conftest import (
    DISTS,
    EVERY,
    NEWEST,
    SAMPLE,
    SEED,
    Package,
    Which,
    of_each,
    subpackage,
)

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


# The scratch root has no C library, and the package may be for another machine.
INSTALL = ("-U", "--nodeps", "--nosignature", "--ignorearch")


def left(root: Path) -> list[str]:
    """The paths of ours that are in the root."""
    tops = [*root.glob("usr/local"), *root.glob("usr/lib/.build-id")]
    return [str(path.relative_to(root)) for top in tops for path in [top, *top.rglob("*")]]


@of_each(EVERY)
def test_erasing_leaves_no_folder(package: Package, rpm: Rpm, tmp_path: Path, which: Which) -> None:
    """Whether the package owns its folders or removes empty ones in %postun."""
    built = package(*which)
    rpm(*INSTALL, built.rpm)
    assert (tmp_path / str(built.plan.library).lstrip("/")).is_file()
    # rpm -V: silent where size, digest, mode, owner, link and time are as packaged.
    assert "" == rpm("-V", "--nodeps", built.plan.name)

    rpm("-e", built.plan.name)

    assert set(left(tmp_path)) <= {"usr/local"}


@of_each([Which(SEED, "el7"), Which(NEWEST, "el8")])
def test_a_link_in_place_of_the_prefix_stays(
    package: Package, rpm: Rpm, tmp_path: Path, which: Which
) -> None:
    """An administrator's, to another disk: on installation, upgrade and removal."""
    older, built = package(*which._replace(version="2.0.9")), package(*which)
    prefix, disk = tmp_path / built.plan.package.prefix[1:], tmp_path / "disk" / "nginx-dep"
    disk.mkdir(parents=True)
    prefix.parent.mkdir()
    prefix.symlink_to("../../disk/nginx-dep")

    for change in ([*INSTALL, older.rpm], [*INSTALL, "--oldpackage", built.rpm]):
        rpm(*change)
        assert prefix.is_symlink()
        assert any((disk / "lib64").iterdir())
        assert "" == rpm("-V", "--nodeps", built.plan.name)
    rpm("-e", built.plan.name)

    assert prefix.is_symlink()
    assert [] == list(disk.iterdir())


@of_each([Which(SEED, "el7"), Which(NEWEST, "el8")])
def test_the_drop_in_leaves_no_folder(
    package: Package, rpm: Rpm, tmp_path: Path, which: Which
) -> None:
    """Also where systemd, which has two of them as well, is not installed."""
    built = package(*which)
    planned, file = subpackage(built)
    rpm(*INSTALL, "--noscripts", file)
    assert (tmp_path / planned.dropin[1:]).is_file()

    rpm("-e", "--noscripts", planned.name)

    # Those that every system's own package has.
    usr = tmp_path / "usr"
    left = {str(path.relative_to(usr)) for path in usr.rglob("*")}
    assert {"lib", "share", "share/licenses"} >= left


def _older(which: Which) -> Which:
    """A release of 2.0 that other tests build, too: of the same dist, or of one before."""
    older = [old for old in SAMPLE if old.version != NEWEST and old[2:] == which[2:]]
    return min(older, key=lambda old: (old.dist != which.dist, old.version == SEED, old))


@of_each(
    [
        *(Which(NEWEST, dist) for dist in DISTS),
        Which(NEWEST, "el10", "aarch64"),
        Which(NEWEST, "el7", flavor="secure"),
    ]
)
def test_an_upgrade_removes_the_old_folders(
    package: Package, rpm: Rpm, tmp_path: Path, which: Which
) -> None:
    """From 2.0 to 3.4 the folders named after 2.0 are removed, and the shared ones stay."""
    old, new = package(*_older(which)), package(*which)
    rpm(*INSTALL, old.rpm)

    rpm(*INSTALL, new.rpm)

    names = left(tmp_path)
    assert not [name for name in names if "mimalloc-2.0" in name]
    assert f"usr/local/nginx-dep/lib64/mimalloc-3.4/{new.plan.base}.o" in names


@pytest.mark.parametrize("first", ["plain", "secure"])
@pytest.mark.parametrize(
    ("version", "dist", "arch"),
    [
        (SEED, "el7", "x86_64"),
        (NEWEST, "el8", "x86_64"),
        pytest.param(NEWEST, "el10", "aarch64", marks=pytest.mark.full),
    ],
)
def test_both_flavors_can_be_installed_together(
    package: Package, rpm: Rpm, tmp_path: Path, version: str, dist: str, arch: str, first: str
) -> None:
    """They share no file: each is complete without the other, and nothing stays after both."""
    plain, secure = (package(version, dist, arch, flavor).plan for flavor in ("plain", "secure"))
    files = {plan.name: package(version, dist, arch, plan.variant).rpm for plan in (plain, secure)}
    erased, other = (secure, plain) if first == "secure" else (plain, secure)

    # At once and without force: rpm refuses a file that differs between two packages.
    rpm(*INSTALL, *files.values())
    assert sorted(files) == sorted(rpm("-qa", "--qf", "%{NAME}\\n").split())
    for plan in (plain, secure):
        assert "" == rpm("-V", "--nodeps", plan.name)
        assert (tmp_path / str(plan.library).lstrip("/")).is_file()

    rpm("-e", erased.name)

    assert "" == rpm("-V", "--nodeps", other.name)
    assert not (tmp_path / str(erased.library).lstrip("/")).exists()
    rpm("-e", other.name)
    assert set(left(tmp_path)) <= {"usr/local"}


def test_a_file_of_both_would_be_refused(package: Package, rpm: Rpm, tmp_path: Path) -> None:
    """rpm's own rule keeps flavors apart, in the scratch root, too."""
    plain = package(NEWEST, "el8")
    rpm(*INSTALL, plain.rpm)
    other = package(NEWEST, "el9")

    with pytest.raises(AssertionError, match="conflicts with file from package"):
        rpm("-i", "--nodeps", "--nosignature", "--replacepkgs", other.rpm)


def test_other_files_stay(package: Package, rpm: Rpm, tmp_path: Path) -> None:
    """A folder that contains another file is not removed."""
    built = package("3.4.3", "el8")
    rpm(*INSTALL, built.rpm)
    other = tmp_path / "usr/local/nginx-dep/lib64/libjemalloc.so.2"
    other.write_text("somebody else's")

    rpm("-e", "mimalloc-custom")

    assert ["usr/local/nginx-dep/lib64/libjemalloc.so.2"] == [
        name for name in left(tmp_path) if (tmp_path / name).is_file()
    ]
