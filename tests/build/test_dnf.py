"""Real dnf with a repository on loopback: install, upgrade, verify, query, remove, refuse."""

import gzip
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.model import Built
from tests.build import originals
from tests.build.c_library import stand_in, without_files
from tests.build.conftest import NEWEST, ROOT, SEED, Package
from tests.build.dnf_client import System
from tests.build.publisher import FOREIGN, OWN, Publisher, serving


@pytest.fixture
def system(tmp_path: Path, as_root: list[str]) -> System:
    """An empty scratch root."""
    system = System(tmp_path / "system", tmp_path / "scratch", as_root)
    (system.root / "usr").mkdir(parents=True)
    system.scratch.mkdir()
    return system


@pytest.fixture
def with_c_library(system: System, tmp_path: Path) -> Callable[..., System]:
    """Installs a package that provides what packages require of the C library."""

    def install(*packages: Built) -> System:
        rpm = stand_in(list(packages), tmp_path / "stand-in")
        system.rpm("-i", "--nosignature", rpm)
        assert rpm.stem == system.rpm("-qa").strip()
        return system

    return install


@pytest.fixture
def address(publisher: Publisher) -> Iterator[str]:
    """The address of the publisher's repositories."""
    # The first publication creates the link, and the server follows it at each request.
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
    """From the `.repo` file to the last removed file, with all signature checks enabled."""
    old, new = package(before, dist), package(after, dist)
    system = with_c_library(old, new)
    publisher.take(old)
    publisher.publish(address)
    system.add_repository(publisher.served / dist / "mimalloc-custom-v2.repo")

    result = system.dnf("install", "mimalloc-custom")
    assert 0 == result.returncode, result.stdout + result.stderr
    assert publisher.fingerprint() in (result.stdout + result.stderr).replace(" ", "")
    assert "" == system.rpm("-V", "mimalloc-custom")
    manifest, *_ = load.manifests(ROOT, old.plan)
    listed = system.rpm("-ql", "mimalloc-custom").splitlines()
    assert len(manifest) == len(listed)
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
        # An upgrade does not change the release line; that takes the `.repo` file of the other.
        assert "Nothing to do" in system.done("--refresh", "upgrade")
        system.add_repository(publisher.served / dist / "mimalloc-custom-v3.repo")
    system.done("--refresh", "upgrade")
    assert f"mimalloc-custom-{after}-1.{dist}.x86_64" == system.rpm("-q", "mimalloc-custom").strip()
    assert "" == system.rpm("-V", "mimalloc-custom")
    assert not [path for path in system.files() if "mimalloc-2.0" in path]

    system.done("remove", "mimalloc-custom")
    assert [] == system.files()


def test_the_sub_package_enables_mimalloc_for_nginx(
    package: Package, publisher: Publisher, address: str, with_c_library: Callable[..., System]
) -> None:
    """It is installed with the package of its release, and removed with it."""
    built = package(NEWEST, "el8")
    system = with_c_library(built)
    publisher.take_all(built)
    publisher.publish(address)
    system.add_repository(publisher.served / "el8" / "mimalloc-custom-v3.repo")
    dropin = system.root / "usr/lib/systemd/system/nginx.service.d/mimalloc.conf"

    system.done("install", "mimalloc-custom-nginx")

    assert f"Environment=LD_PRELOAD={built.plan.preload}\n" in dropin.read_text()
    assert (system.root / str(built.plan.library).lstrip("/")).is_file()
    for name in ("mimalloc-custom", "mimalloc-custom-nginx"):
        assert "" == system.rpm("-V", name)
    # The library cannot be removed without the drop-in that preloads it.
    system.done("remove", "mimalloc-custom")
    assert [] == system.files()
    assert not dropin.parent.exists()


@pytest.mark.parametrize("layout", originals.LAYOUTS)
def test_a_reinstall_replaces_a_package_made_by_hand(
    package: Package, publisher: Publisher, address: str, with_c_library: Callable[..., System],
    layout: str, tmp_path: Path,
) -> None:  # fmt: skip
    """Its name, version and release are ours, so to install is nothing to do."""
    built = package(SEED, "el8")
    system = with_c_library(built)
    system.rpm("-i", "--nosignature", originals.build(layout, SEED, "el8", tmp_path))
    publisher.take(built)
    publisher.publish(address)
    system.add_repository(publisher.served / "el8" / "mimalloc-custom-v2.repo")
    assert "already installed" in system.done("install", "mimalloc-custom")

    system.done("reinstall", "mimalloc-custom")

    vendor = system.rpm("-q", "--qf", "%{VENDOR}", "mimalloc-custom")
    assert built.plan.package.vendor == vendor
    assert "" == system.rpm("-V", "mimalloc-custom")
    files = {path for path in system.files() if not Path(path).is_dir()}
    owned = system.rpm("-ql", "mimalloc-custom").split()
    assert files <= {f"{system.root}{path}" for path in owned}


@pytest.mark.parametrize(("dist", "release"), [("el8", "2.1.2"), ("el10", "2.1.7")])
def test_a_distributions_mimalloc_is_its_own(
    package: Package, publisher: Publisher, address: str, with_c_library: Callable[..., System],
    dist: str, release: str, tmp_path: Path,
) -> None:  # fmt: skip
    """Who needs the soname gets EPEL's package, whose library the loader finds, beside ours."""
    old, new = package("2.0.9" if dist == "el8" else NEWEST, dist), package(NEWEST, dist)
    system, soname = with_c_library(old, new), "libmimalloc.so.2()(64bit)"
    publisher.take(old)
    publisher.publish(address)
    system.add_repository(publisher.served / dist / f"mimalloc-custom-{old.plan.recipe.line}.repo")
    folder = tmp_path / "epel"
    for name, tag in (("mimalloc", "Provides"), ("needs-mimalloc", "Requires")):
        without_files(name, release, [f"{tag}: {soname}"], folder)
    write_metadata(folder)
    epel = f"[epel]\nname=epel\nbaseurl=file://{folder}\ngpgcheck=0\n"
    (system.root / "etc" / "yum.repos.d" / "epel.repo").write_text(epel)

    system.done("install", "mimalloc-custom")
    system.done("install", "needs-mimalloc")

    assert f"mimalloc-{release}-1.noarch" == system.rpm("-q", "--whatprovides", soname).strip()
    assert "" == system.rpm("-V", "mimalloc-custom")
    if new != old:
        publisher.take(new)
        publisher.publish(address)
        system.add_repository(publisher.served / dist / "mimalloc-custom-v3.repo")
        assert "needs-mimalloc" not in system.done("--refresh", "upgrade", "mimalloc-custom")
    assert NEWEST in system.rpm("-q", "mimalloc-custom")
    system.done("remove", "mimalloc-custom")
    assert [] == system.files()
    assert "needs-mimalloc" in system.done("remove", "mimalloc")


@pytest.fixture
def published(package: Package, publisher: Publisher, address: str) -> Path:
    """The folder of a served repository with one package."""
    publisher.take(package(NEWEST, "el8"))
    publisher.publish(address)
    return publisher.served / "el8" / "x86_64"


@pytest.fixture
def client(
    package: Package, published: Path, publisher: Publisher, with_c_library: Callable[..., System]
) -> System:
    """A system with the repository."""
    system = with_c_library(package(NEWEST, "el8"))
    system.add_repository(publisher.served / "el8" / "mimalloc-custom-v3.repo")
    return system


def refused(system: System) -> str:
    """The output of dnf, which must refuse to install."""
    result = system.dnf("install", "mimalloc-custom")
    assert 0 != result.returncode, result.stdout
    assert [] == system.files()
    return result.stdout + result.stderr


def alter(file: Path, change: Callable[[bytes], bytes]) -> None:
    """Changes a served file, without changing files that it is linked to."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(change(content))


def flip_bit(content: bytes) -> bytes:
    """The content with one bit flipped near its end."""
    return content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:]


def write_metadata(folder: Path) -> None:
    """Writes new metadata, as an attacker does after a change of a package."""
    subprocess.run(["createrepo_c", "--quiet", "--no-database", folder], check=True)


def test_a_tampered_package_is_refused(client: System, published: Path) -> None:
    """One bit of it differs, and the metadata has another checksum."""
    (rpm,) = published.glob("*.rpm")
    alter(rpm, flip_bit)

    assert "checksum" in refused(client).lower()


def test_tampered_metadata_is_refused(client: System, published: Path) -> None:
    """The signature does not verify."""
    alter(published / "repodata" / "repomd.xml", lambda text: text + b"<!-- altered -->\n")

    assert "signature" in refused(client).lower()


def test_metadata_with_another_checksum_is_refused(client: System, published: Path) -> None:
    """The signed `repomd.xml` has the checksums of the other files."""
    (primary,) = published.glob("repodata/*-primary.xml.gz")
    text = gzip.decompress(primary.read_bytes()).replace(b"MIT", b"GPL")
    alter(primary, lambda _: gzip.compress(text))

    assert "primary" in refused(client).lower()


def test_metadata_signed_with_another_key_is_refused(
    client: System, published: Path, publisher: Publisher
) -> None:
    """An attacker without our key replaces a package and its metadata."""
    (rpm,) = published.glob("*.rpm")
    alter(rpm, flip_bit)
    write_metadata(published)
    repomd = published / "repodata" / "repomd.xml"
    publisher.sign_file(repomd, FOREIGN)

    assert "signature" in refused(client).lower()


@pytest.mark.parametrize("signer", ["", FOREIGN])
def test_a_package_without_our_signature_is_refused(
    package: Package, client: System, published: Path, publisher: Publisher, signer: str
) -> None:
    """Even if the metadata is signed with our key."""
    (rpm,) = published.glob("*.rpm")
    alter(rpm, lambda _: package(NEWEST, "el8").rpm.read_bytes())
    if signer:
        publisher.sign_by_hand(rpm, signer)
    write_metadata(published)
    repomd = published / "repodata" / "repomd.xml"
    publisher.sign_file(repomd, OWN)

    output = refused(client)

    assert "not signed" in output or "GPG check FAILED" in output


def test_debug_information_is_in_a_repository_of_its_own(
    package: Package, publisher: Publisher, address: str, system: System
) -> None:
    """Disabled; enabled, dnf finds it by its name and by the file that a debugger looks for.

    It requires nothing, so it installs without the package, and without a C library.
    """
    built = package(NEWEST, "el8")
    publisher.take(built)
    debug = publisher.take_debuginfo(built)
    publisher.publish(address)
    system.add_repository(publisher.served / "el8" / "mimalloc-custom-v3.repo")
    enabled = "--enablerepo=mimalloc-custom-debuginfo"

    refused = system.dnf("install", "mimalloc-custom-debuginfo")
    system.done(enabled, "install", "mimalloc-custom-debuginfo")

    assert "Unable to find a match: mimalloc-custom-debuginfo" in refused.stderr
    assert debug.stem == system.rpm("-qa", "mimalloc-custom*").strip()
    assert "" == system.rpm("-V", "mimalloc-custom-debuginfo")
    (file,) = (f"/{file.relative_to(system.root)}" for file in system.root.rglob("*.debug"))
    system.done("remove", "mimalloc-custom-debuginfo")
    assert [] == list((system.root / "usr" / "lib").glob("debug/.build-id"))
    system.done(enabled, "install", file)
    assert debug.stem == system.rpm("-qa", "mimalloc-custom*").strip()
