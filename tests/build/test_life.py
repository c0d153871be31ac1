"""The life of keys and repositories, as a host with dnf sees it; packages have one file each."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from pipeline.artifact import statement
from pipeline.model.errors import RepositoryError, SignError
from pipeline.system.checksum import sha256_of
from tests.build.conftest import MACHINES
from tests.build.dnf_client import System
from tests.build.life import HERE, NAME, NEW, NGINX, OLD, Life, Machine
from tests.build.publisher import FOREIGN, OWN
from tests.tally import untested


def installed(system: System) -> list[str]:
    """The packages of a host, with their versions, all of them as they were packaged."""
    assert "" == system.rpm("-Va")
    listing = system.rpm("-qa", "--qf", "%{NAME} %{VERSION}\n", "mimalloc*")
    return sorted(listing.splitlines())


def signers(life: Life) -> set[str]:
    """The IDs of the keys that signed the served packages, 16 hex digits."""
    query = ["rpm", "-qp", "--nosignature", "--qf", "%{RSAHEADER:pgpsig}\n"]
    files = sorted(life.publisher.served.glob("*/*/*.rpm"))
    output = subprocess.check_output([*query, *map(str, files)], text=True)
    return {line.split()[-1].upper() for line in output.splitlines()}


def public_keys(life: Life) -> list[list[str]]:
    """The rows of the served public keys."""
    file = life.publisher.served / f"RPM-GPG-KEY-{NAME}"
    listing = life.publisher.gpg("--with-colons", "--show-keys", file)
    return [row.split(":") for row in listing.splitlines() if row.startswith("pub:")]


def test_a_key_that_is_extended(life: Life, as_root: list[str]) -> None:
    """The served key follows, packages stay as they are, and hosts go on."""
    life.add(OLD)
    life.serve()
    system = life.host(HERE, as_root)
    system.done("install", NGINX)
    before = {file.name: sha256_of(file) for file in life.publisher.served.glob("*/*/*.rpm")}
    tree = life.publisher.served.resolve()

    life.publisher.gpg("--quick-set-expire", life.publisher.fingerprint(), "2y")
    life.serve()

    ((*_, expires),) = (row[:7] for row in public_keys(life))
    assert "" != expires
    assert tree != life.publisher.served.resolve()
    assert before == {
        file.name: sha256_of(file) for file in life.publisher.served.glob("*/*/*.rpm")
    }
    life.add(NEW)
    life.serve()
    system.done("--refresh", "upgrade")
    assert [f"{NAME} {NEW}", f"{NGINX} {NEW}"] == installed(system)


@pytest.mark.full
def test_a_host_keeps_the_old_end_of_a_key(life: Life, as_root: list[str]) -> None:
    """It was extended in time, and dnf stops at the old end all the same, as the documents say."""
    if not shutil.which("faketime"):
        untested("a host after the end of a key", "no faketime on this host")
    life.publisher.gpg("--quick-set-expire", life.publisher.fingerprint(), "1d")
    life.add(OLD)
    life.serve()
    system = life.host(HERE, as_root)
    system.done("install", NAME)
    life.publisher.gpg("--quick-set-expire", life.publisher.fingerprint(), "2y")
    life.add(NEW)
    life.serve()
    later = replace(system, as_root=[*as_root, "faketime", "-f", "+3d"])

    later.done("clean", "all")
    assert "Bad GPG signature" in later.dnf("--refresh", "upgrade").stderr
    for folder in system.scratch.glob("cache/mimalloc-custom*/pubring"):
        shutil.rmtree(folder)
    later.done("--refresh", "upgrade")
    assert [f"{NAME} {NEW}"] == installed(system)


def test_a_key_that_is_replaced(life: Life, as_root: list[str]) -> None:
    """Both are served; what is in the repository alone is signed anew; hosts change over."""
    life.add(OLD)
    life.serve()
    shutil.rmtree(life.publisher.checkout / "dist")
    system = life.host(HERE, as_root)
    system.done("install", NGINX)
    life.add(NEW, key=FOREIGN)

    life.serve(key=FOREIGN, second=OWN)

    assert {life.publisher.fingerprint(FOREIGN)[-16:]} == signers(life)
    assert 4 == len(list(life.publisher.served.glob("*/*/*.rpm")))
    assert all(map(statement.matches, life.publisher.served.glob("*/*/*.rpm")))
    ids = [life.publisher.fingerprint(key)[-16:] for key in (FOREIGN, OWN)]
    assert ids == [row[4] for row in public_keys(life)]
    upgrade = system.dnf("--refresh", "upgrade")
    assert "Importing GPG key" in upgrade.stdout + upgrade.stderr
    assert [f"{NAME} {NEW}", f"{NGINX} {NEW}"] == installed(system)
    # Nothing is left to do; without the second key, it is served no more, and new hosts install.
    tree = life.publisher.served.resolve()
    life.serve(key=FOREIGN, second=OWN)
    assert tree == life.publisher.served.resolve()
    life.serve(key=FOREIGN)
    assert ids[:1] == [row[4] for row in public_keys(life)]
    other = life.host(HERE, as_root, "other")
    other.done("install", f"{NAME}-{OLD}")
    other.done("upgrade")
    assert [f"{NAME} {NEW}"] == installed(other)


def test_a_key_that_is_revoked(life: Life, as_root: list[str]) -> None:
    """It signs nothing and is served no more; what has only its signature is named."""
    life.add(OLD)
    life.serve()
    system = life.host(HERE, as_root)
    system.done("install", NAME)
    shutil.rmtree(life.publisher.checkout / "dist")
    life.add(NEW, key=FOREIGN)
    certificate = life.publisher.gnupg / "openpgp-revocs.d" / f"{life.publisher.fingerprint()}.rev"
    text = certificate.read_text().replace(":-----BEGIN", "-----BEGIN")
    certificate.write_text(text)
    life.publisher.gpg("--import", certificate)

    for key, second in ((OWN, ""), (FOREIGN, OWN)):
        with pytest.raises(SignError, match="revoked"):
            life.serve(key=key, second=second)
    with pytest.raises(RepositoryError, match=rf"{NAME}-{OLD}-1.el8.x86_64.rpm: .*NOKEY"):
        life.serve(key=FOREIGN)
    withdraw(life, OLD)
    life.serve(key=FOREIGN)

    assert life.publisher.fingerprint() not in str(public_keys(life))
    system.done("--refresh", "upgrade")
    assert [f"{NAME} {NEW}"] == installed(system)
    # rpm trusts an imported key until it is removed.
    old = f"gpg-pubkey-{life.publisher.fingerprint()[-8:].lower()}"
    assert system.rpm("-q", old).startswith(old)
    system.rpm("-e", old)
    system.done("reinstall", NAME)


def withdraw(life: Life, version: str) -> None:
    """Withdraws a release, as the documents say."""
    file = life.publisher.checkout / "recipes" / "withdrawn.toml"
    file.write_text(f'{file.read_text()}"{version}-1" = "children hang"\n')


def test_a_release_that_is_withdrawn(life: Life, as_root: list[str]) -> None:
    """It is gone, with all that requires it, and stays away; hosts go back by distro-sync."""
    for version in (OLD, NEW):
        life.add(version)
    life.serve()
    system = life.host(HERE, as_root)
    system.done("install", NGINX)
    assert [f"{NAME} {NEW}", f"{NGINX} {NEW}"] == installed(system)

    withdraw(life, NEW)
    for _ in range(2):
        life.serve()
        assert {f"{NAME}-{OLD}-1.el8.x86_64.rpm", f"{NGINX}-{OLD}-1.el8.noarch.rpm"} == {
            file.name for file in life.publisher.served.glob("*/*/*.rpm")
        }
    page = (life.publisher.served / "index.html").read_text()
    assert f"<strong>{NEW}-1</strong>: children hang" in page

    assert "Nothing to do" in system.done("--refresh", "upgrade")
    system.done("distro-sync", f"{NAME}*")
    assert [f"{NAME} {OLD}", f"{NGINX} {OLD}"] == installed(system)
    # The last one goes, too: the repository is empty, and dnf goes on.
    withdraw(life, OLD)
    life.serve()
    assert "Nothing to do" in system.done("--refresh", "upgrade")
    system.done("remove", NAME)
    assert [] == installed(system)


PARTIAL = [
    pytest.param(
        machine, id="-".join(machine), marks=() if machine[0] == "el8" else pytest.mark.full
    )
    for machine in MACHINES
]


@pytest.mark.parametrize("machine", PARTIAL)
def test_every_repository_is_closed_after_a_build_for_one(
    life: Life, as_root: list[str], machine: Machine
) -> None:
    """The newest release was built for one architecture: each machine has what can be installed.

    Then it goes through all that dnf does.
    """
    dist, arch = machine
    own = [one for one in MACHINES if one[0] == dist]
    for one in own:
        life.add(OLD, one)
    life.add(NEW, own[-1])
    life.serve()
    system, newest = life.host(machine, as_root), NEW if machine == own[-1] else OLD
    force = f"--forcearch={arch.removesuffix('_v2')}"
    both = {version: [f"{NAME} {version}", f"{NGINX} {version}"] for version in (OLD, NEW)}

    system.done(force, "install", NGINX)
    assert both[newest] == installed(system)
    life.add(NEW, machine)
    life.serve()
    for command, version in (("upgrade", NEW), ("downgrade", OLD), ("upgrade", NEW)):
        system.done(force, "--refresh", command, *([NAME, NGINX] if command == "downgrade" else []))
        assert both[version] == installed(system)
    system.done(force, "reinstall", NAME, NGINX)
    assert both[NEW] == installed(system)
    system.done(force, "remove", NAME)
    assert [] == installed(system)
    assert [] == list((system.root / "usr" / "local").iterdir())


def test_an_old_mirror(life: Life, as_root: list[str]) -> None:
    """A host that has newer metadata takes what the mirror has, and loses nothing installed."""
    life.add(OLD)
    life.serve()
    old = life.work / "old"
    shutil.copytree(life.publisher.served.resolve(), old, symlinks=True)
    life.add(NEW)
    life.serve()
    system = life.host(HERE, as_root)
    system.done("install", NAME)
    life.publisher.served.unlink()
    life.publisher.served.symlink_to(old)

    assert "Nothing to do" in system.done("--refresh", "upgrade")
    assert [f"{NAME} {NEW}"] == installed(system)
