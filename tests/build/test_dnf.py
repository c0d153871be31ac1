"""Real dnf and a repository on loopback: install, upgrade, verify, query, remove, refuse."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.model import Built
from tests.build.c_library import stand_in
from tests.build.conftest import NEWEST, ROOT, SEED, Package
from tests.build.publisher import FOREIGN, OWN, Publisher, serving


@dataclass(frozen=True)
class System:
    """A scratch root with dnf at work on it."""

    root: Path
    scratch: Path
    as_root: list[str]

    def dnf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs dnf with the root's own repositories, and none of this host's settings."""
        settings = {
            "reposdir": self.root / "etc" / "yum.repos.d",
            "cachedir": self.scratch / "cache",
            "logdir": self.scratch,
            "persistdir": self.scratch / "persist",
            "varsdir": self.scratch,
            "pluginpath": self.scratch,
        }
        nothing = self.scratch / "dnf.conf"
        nothing.write_text("[main]\n")
        command = [*self.as_root, "dnf", "--config", str(nothing), "--assumeyes"]
        command += [f"--installroot={self.root}", "--releasever=8"]
        command += [f"--setopt={name}={value}" for name, value in settings.items()]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=120
        )

    def done(self, *arguments: str) -> str:
        """The same, where nothing may go wrong."""
        told = self.dnf(*arguments)
        assert 0 == told.returncode, told.stdout + told.stderr
        return told.stdout

    def rpm(self, *arguments: str | Path) -> str:
        """What rpm prints, at work on the root."""
        command = [*self.as_root, "rpm", "--root", self.root, *arguments]
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False
        ).stdout

    def subscribe(self, file: Path) -> None:
        """Do what the page says: put a `.repo` file where dnf looks."""
        folder = self.root / "etc" / "yum.repos.d"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / "mimalloc-custom.repo")

    def ours(self) -> list[str]:
        """What of ours is in the root."""
        tops = [*self.root.glob("usr/local/*"), *self.root.glob("usr/lib/.build-id")]
        return sorted(str(path) for top in tops for path in [top, *top.rglob("*")])


@pytest.fixture
def system(tmp_path: Path, as_root: list[str]) -> System:
    """A scratch root with nothing in it."""
    made = System(tmp_path / "system", tmp_path / "scratch", as_root)
    (made.root / "usr").mkdir(parents=True)
    made.scratch.mkdir()
    return made


@pytest.fixture
def with_c_library(system: System, tmp_path: Path) -> Callable[..., System]:
    """Satisfies what packages need of the C library, by a package made for it."""

    def furnish(*packages: Built) -> System:
        rpm = stand_in(list(packages), tmp_path / "stand-in")
        system.rpm("-i", "--nosignature", rpm)
        assert rpm.stem == system.rpm("-qa").strip()
        return system

    return furnish


@pytest.fixture
def address(publisher: Publisher) -> Iterator[str]:
    """Where the publisher's repositories are served."""
    # The link is made by the first publication, and followed at each request.
    with serving(publisher.checkout) as url:
        yield f"{url}/repository"


def seed_listing(heading: str) -> list[str]:
    """The file list that README shows under a heading."""
    section = (ROOT / "README.md").read_text().partition(f"\n## {heading}\n")[2]
    return re.findall(r"^/usr\S+$", section.partition("\n## ")[0], re.M)


@pytest.mark.parametrize(
    ("before", "after", "dist"), [(SEED, "2.4.1", "el8"), ("2.0.9", NEWEST, "el9")]
)
def test_install_upgrade_query_remove(
    package: Package, publisher: Publisher, address: str, with_c_library: Callable[..., System],
    before: str, after: str, dist: str,
) -> None:  # fmt: skip
    """From the `.repo` file to the last trace, with all signature checks on."""
    old, new = package(before, dist), package(after, dist)
    system = with_c_library(old, new)
    publisher.take(old)
    publisher.publish(address)
    system.subscribe(publisher.served / dist / "mimalloc-custom-v2.repo")

    told = system.dnf("install", "mimalloc-custom")
    assert 0 == told.returncode, told.stdout + told.stderr
    assert publisher.fingerprint() in (told.stdout + told.stderr).replace(" ", "")
    assert "" == system.rpm("-V", "mimalloc-custom")
    manifest = ROOT / "recipes" / "manifests" / f"{before}.{dist}.txt"
    listed = system.rpm("-ql", "mimalloc-custom").splitlines()
    assert len(manifest.read_text().splitlines()) == len(listed)
    if (before, dist) == (SEED, "el8"):
        assert seed_listing("EL8") == listed
    info = dict(
        line.split(" : ", 1)
        for line in re.sub(" +: ", " : ", system.done("-q", "info", "mimalloc-custom")).splitlines()
        if " : " in line
    )
    assert ("mimalloc-custom", before, f"1.{dist}") == (
        info["Name"],
        info["Version"],
        info["Release"],
    )
    assert ("@System", "mimalloc-custom", "MIT") == (
        info["Repository"],
        info["From repo"],
        info["License"],
    )
    assert f"mimalloc-custom-{before} for centminmod.com LEMP stack installs" == info["Summary"]

    publisher.take(new)
    publisher.publish(address)
    if old.plan.recipe.line != new.plan.recipe.line:
        # No upgrade leaves a line; that takes the other line's file.
        assert "Nothing to do" in system.done("--refresh", "upgrade")
        system.subscribe(publisher.served / dist / "mimalloc-custom-v3.repo")
    system.done("--refresh", "upgrade")
    assert f"mimalloc-custom-{after}-1.{dist}.x86_64" == system.rpm("-q", "mimalloc-custom").strip()
    assert "" == system.rpm("-V", "mimalloc-custom")
    assert not [path for path in system.ours() if "mimalloc-2.0" in path]

    system.done("remove", "mimalloc-custom")
    assert [] == system.ours()


def test_one_package_switches_nginx_on(
    package: Package, publisher: Publisher, address: str, with_c_library: Callable[..., System]
) -> None:
    """The sub-package brings the package of its release along, and goes with it."""
    built = package(NEWEST, "el8")
    system = with_c_library(built)
    publisher.take_all(built)
    publisher.publish(address)
    system.subscribe(publisher.served / "el8" / "mimalloc-custom-v3.repo")
    dropin = system.root / "usr/lib/systemd/system/nginx.service.d/mimalloc.conf"

    system.done("install", "mimalloc-custom-nginx")

    assert f"Environment=LD_PRELOAD={built.plan.preload}\n" in dropin.read_text()
    assert (system.root / str(built.plan.library).lstrip("/")).is_file()
    for name in ("mimalloc-custom", "mimalloc-custom-nginx"):
        assert "" == system.rpm("-V", name)
    # The library does not go from under a service that preloads it.
    system.done("remove", "mimalloc-custom")
    assert [] == system.ours()
    assert not dropin.parent.exists()


@pytest.fixture
def published(package: Package, publisher: Publisher, address: str) -> Path:
    """A served repository of one package, and the folder that its files are in."""
    publisher.take(package(NEWEST, "el8"))
    publisher.publish(address)
    return publisher.served / "el8" / "x86_64"


@pytest.fixture
def customer(
    package: Package, published: Path, publisher: Publisher, with_c_library: Callable[..., System]
) -> System:
    """A system that uses the repository."""
    system = with_c_library(package(NEWEST, "el8"))
    system.subscribe(publisher.served / "el8" / "mimalloc-custom-v3.repo")
    return system


def refused(system: System) -> str:
    """What dnf says where it does not install."""
    told = system.dnf("install", "mimalloc-custom")
    assert 0 != told.returncode, told.stdout
    assert [] == system.ours()
    return told.stdout + told.stderr


def altered(file: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a served file, and not the other names that it has."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(change(content))


def flipped(content: bytes) -> bytes:
    """The same with one bit of its end turned over."""
    return content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:]


def described(folder: Path) -> None:
    """The metadata made anew, as somebody does who has changed what is served."""
    subprocess.run(["createrepo_c", "--quiet", "--no-database", folder], check=True)


def test_a_tampered_package_is_refused(customer: System, published: Path) -> None:
    """One bit of a package that the metadata knows otherwise."""
    (rpm,) = published.glob("*.rpm")
    altered(rpm, flipped)

    assert "checksum" in refused(customer).lower()


def test_tampered_metadata_is_refused(customer: System, published: Path) -> None:
    """The signature is of the metadata as it was."""
    altered(published / "repodata" / "repomd.xml", lambda text: text + b"<!-- another -->\n")

    assert "signature" in refused(customer).lower()


def test_metadata_that_repomd_does_not_know_is_refused(customer: System, published: Path) -> None:
    """The signed file holds the checksums of all others."""
    (primary,) = published.glob("repodata/*-primary.xml.gz")
    text = gzip.decompress(primary.read_bytes()).replace(b"MIT", b"GPL")
    altered(primary, lambda _: gzip.compress(text))

    assert "primary" in refused(customer).lower()


def test_metadata_signed_by_somebody_else_is_refused(
    customer: System, published: Path, publisher: Publisher
) -> None:
    """A package and its metadata replaced as a whole, by whoever does not have the key."""
    (rpm,) = published.glob("*.rpm")
    altered(rpm, flipped)
    described(published)
    repomd = published / "repodata" / "repomd.xml"
    publisher.sign_file(repomd, FOREIGN)

    assert "signature" in refused(customer).lower()


@pytest.mark.parametrize("signer", ["", FOREIGN])
def test_a_package_that_we_did_not_sign_is_refused(
    package: Package, customer: System, published: Path, publisher: Publisher, signer: str
) -> None:
    """Where even the metadata is signed with our key, each package needs our signature."""
    (rpm,) = published.glob("*.rpm")
    altered(rpm, lambda _: package(NEWEST, "el8").rpm.read_bytes())
    if signer:
        publisher.sign_by_hand(rpm, signer)
    described(published)
    repomd = published / "repodata" / "repomd.xml"
    publisher.sign_file(repomd, OWN)

    told = refused(customer)

    assert "not signed" in told or "GPG check FAILED" in told
