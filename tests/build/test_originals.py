"""From the packages made by hand to ours, by the commands that docs/administrator.md gives."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.build import originals
from tests.build.conftest import NEWEST, ROOT, SEED, Package

INSTALL = ("--nodeps", "--nosignature", "--ignorearch")
OLD_PATH = f"{originals.PREFIX}/lib/libmimalloc.so"


def documented(start: str) -> str:
    """The command of the section that starts so."""
    text = (ROOT / "docs" / "administrator.md").read_text()
    section = text.partition("\n## From packages made by hand\n")[2].partition("\n## ")[0]
    section = section.replace("\\\n", "")
    (line,) = (line for line in section.splitlines() if line.startswith(start))
    return line


class System(NamedTuple):
    """A scratch root with a package made by hand."""

    root: Path
    as_root: list[str]

    def rpm(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs rpm on the root."""
        where = ["--root", str(self.root), "--dbpath", "/var/lib/rpm"]
        return self.run("rpm", *where, *map(str, arguments))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as root."""
        whole = [*self.as_root, *command]
        return subprocess.run(whole, capture_output=True, text=True, check=False)

    def remove_empty_folders(self) -> None:
        """Runs the documented line on the root."""
        line = documented("cd /usr/local && rmdir").replace("/usr/local", f"{self.root}/usr/local")
        self.run("bash", "-c", line)

    def paths(self) -> set[str]:
        """The paths at and below the prefix."""
        top = self.root / originals.PREFIX[1:]
        there = [top, *top.rglob("*")] if top.exists() else []
        return {f"/{path.relative_to(self.root)}" for path in there}

    def unowned(self) -> set[str]:
        """Those that are neither in our package, nor a folder above a file of it."""
        owned = self.rpm("-ql", "mimalloc-custom").stdout.split()
        above = {str(folder) for path in owned for folder in Path(path).parents}
        return self.paths() - {*owned, *above}


Install = Callable[[str, str, str], System]


@pytest.fixture
def install(tmp_path: Path, as_root: list[str]) -> Install:
    """Installs a package made by hand, of a layout, version and dist."""

    def installed(layout: str, version: str, dist: str) -> System:
        system = System(tmp_path / "root", as_root)
        (system.root / "usr" / "local" / "bin").mkdir(parents=True)
        original = originals.build(layout, version, dist, tmp_path)
        assert 0 == system.rpm("-i", *INSTALL, original).returncode
        assert len(originals.listing(layout, version)) <= len(system.paths())
        return system

    return installed


def assert_ours_alone(system: System, vendor: str) -> None:
    """Our package is there and verified, nothing else is, and nothing stays after it."""
    assert vendor == system.rpm("-q", "--qf", "%{VENDOR}", "mimalloc-custom").stdout
    assert "" == system.rpm("-V", "--nodeps", "mimalloc-custom").stdout
    assert set() == system.unowned()
    assert 0 == system.rpm("-e", "mimalloc-custom").returncode
    assert set() == system.paths()


@pytest.mark.parametrize(
    ("layout", "dist", "before", "after"),
    [
        ("lib64", "el7", SEED, "2.0.9"),
        ("lib64", "el8", SEED, NEWEST),
        ("lib", "el7", SEED, "2.0.9"),
        ("lib", "el8", "2.2.4", NEWEST),
    ],
)
def test_an_upgrade_to_a_later_version(
    package: Package, install: Install, layout: str, dist: str, before: str, after: str
) -> None:
    """`rpm -Uvh` and the line that removes the empty folders leave what is ours."""
    built, system = package(after, dist), install(layout, before, dist)
    assert documented("rpm -Uvh").startswith("rpm -Uvh mimalloc-custom-")

    done = system.rpm("-Uvh", *INSTALL, built.rpm)

    assert 0 == done.returncode, done.stderr
    system.remove_empty_folders()
    assert_ours_alone(system, built.plan.package.vendor)


@pytest.mark.parametrize("layout", originals.LAYOUTS)
@pytest.mark.parametrize("dist", ["el7", "el8"])
def test_the_same_version_and_release(
    package: Package, install: Install, layout: str, dist: str
) -> None:
    """An upgrade is refused; `rpm --reinstall` replaces all files."""
    built, system = package(SEED, dist), install(layout, SEED, dist)
    assert documented("rpm --reinstall").startswith("rpm --reinstall mimalloc-custom-")
    assert "is already installed" in system.rpm("-Uvh", *INSTALL, built.rpm).stderr

    done = system.rpm("--reinstall", *INSTALL, built.rpm)

    assert 0 == done.returncode, done.stderr
    system.remove_empty_folders()
    assert_ours_alone(system, built.plan.package.vendor)


def test_files_that_no_package_owns_any_more(
    package: Package, install: Install, tmp_path: Path
) -> None:
    """What `--replacepkgs` of older rpms leaves goes when both packages are reinstalled."""
    built, system = package(SEED, "el7"), install("lib", SEED, "el7")
    (original,) = tmp_path.rglob("mimalloc-custom-*.rpm")
    system.rpm("-e", "--justdb", "mimalloc-custom")
    system.rpm("-i", *INSTALL, built.rpm)
    assert OLD_PATH in system.unowned()

    for rpm in (original, built.rpm):
        assert 0 == system.rpm("--reinstall", *INSTALL, rpm).returncode

    system.remove_empty_folders()
    assert_ours_alone(system, built.plan.package.vendor)


@pytest.mark.parametrize("layout", originals.LAYOUTS)
def test_an_original_that_is_only_erased(install: Install, layout: str) -> None:
    """The same line removes its folders, and /usr/local stays."""
    system = install(layout, SEED, "el7")
    assert 0 == system.rpm("-e", "mimalloc-custom").returncode
    assert originals.PREFIX in system.paths()

    system.remove_empty_folders()

    assert set() == system.paths()
    assert (system.root / "usr/local").is_dir()


def test_the_line_keeps_what_others_have_there(install: Install) -> None:
    """A file in one of the folders, an empty folder of another name, an administrator's link."""
    system = install("lib", SEED, "el7")
    top = system.root / originals.PREFIX[1:]
    others = [top / "lib/libpcre2.so", top / "lib/cmake/pcre2", top / "share"]
    others[0].write_text("somebody else's")
    others[1].mkdir()
    others[2].symlink_to("/usr/share")
    system.rpm("-e", "mimalloc-custom")

    system.remove_empty_folders()

    assert all(path.exists() or path.is_symlink() for path in others)
    assert not (top / "lib/cmake/mimalloc").exists()


@pytest.mark.parametrize(
    "file",
    [
        "etc/ld.so.preload",
        "etc/systemd/system/nginx.service.d/mimalloc.conf",
        "usr/lib/systemd/system/php-fpm.service",
        "etc/sysconfig/memcached",
    ],
)
def test_what_names_the_old_path_is_found(tmp_path: Path, file: str) -> None:
    """And what names ours is not."""
    system = System(tmp_path, [])
    command = documented("grep ").replace(" /", f" {tmp_path}/")
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    line = "Environment=LD_PRELOAD={}\n"
    path.write_text(line.format(f"{originals.PREFIX}/lib64/libmimalloc.so.2"))
    assert "" == system.run("bash", "-c", command).stdout

    path.write_text(line.format(OLD_PATH))

    assert f"{path}\n" == system.run("bash", "-c", command).stdout
