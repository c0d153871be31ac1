"""The life of keys and repositories, as a host with dnf sees it; with packages that have one file.

What they hold is not looked at when they are served, so nothing is compiled here.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.artifact.provenance import PREDICATE, STATEMENT
from pipeline.model.errors import RepositoryError, SignError
from pipeline.publish import repository
from pipeline.system.checksum import sha256_of
from tests.build import rpm_spec
from tests.build.conftest import MACHINES
from tests.build.dnf_client import System
from tests.build.publisher import FOREIGN, OWN, Publisher, serving
from tests.tally import untested

NAME, NGINX = "mimalloc-custom", "mimalloc-custom-nginx"
OLD, NEW = "3.2.8", "3.4.3"

SPEC = """
Name: {name}
Version: {version}
Release: 1.{dist}
Summary: {name} of {version}
License: MIT
{tags}
%description
One file.
%install
mkdir -p "$RPM_BUILD_ROOT/usr/local/{name}"
echo {version} > "$RPM_BUILD_ROOT/usr/local/{name}/file"
%files
/usr/local/{name}
"""

Machine = tuple[str, str]
HERE: Machine = ("el8", "x86_64")


@dataclass(frozen=True)
class Life:
    """A publisher with keys of its own, and the address where it serves."""

    publisher: Publisher
    work: Path
    url: str

    def add(self, version: str, machine: Machine = HERE, key: str = OWN) -> None:
        """Puts the signed packages of a release for a machine into ``dist/``."""
        dist, arch = machine
        requires = "BuildArch: noarch\nRequires: mimalloc-custom = %{version}-%{release}"
        for name, tags in ((NAME, ""), (NGINX, requires)):
            text = SPEC.format(name=name, version=version, dist=dist, tags=tags)
            # Those of no architecture are the same for all: built once.
            folder = self.work / f"{name}-{version}-{dist}-{arch if name == NAME else 'noarch'}"
            rpm = next(folder.rglob("*.rpm"), None) or rpm_spec.build(
                text, folder, "--target", arch
            )
            target = self.publisher.checkout / "dist" / dist / arch / rpm.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(rpm, target)
            self.publisher.sign_by_hand(target, key)
            state(target)

    def serve(self, *, key: str = OWN, second: str = "", keep: int = 0) -> None:
        """What `invoke repo` does."""
        keys = [one and f"{one}@example.invalid" for one in (key, second)]
        repository.run(self.publisher.checkout, keys[0], self.url, keep, second_key=keys[1])

    def host(self, machine: Machine, as_root: list[str], name: str = "host") -> System:
        """A host with the repository of the line v3 of its dist."""
        scratch = self.work / name
        system = System(scratch / "root", scratch / "scratch", as_root)
        for folder in (system.root / "usr", system.scratch):
            folder.mkdir(parents=True)
        file = self.publisher.served / machine[0] / f"{NAME}-v3.repo"
        text = file.read_text().replace("$basearch", machine[1])
        (system.root / "etc" / "yum.repos.d").mkdir(parents=True)
        (system.root / "etc" / "yum.repos.d" / file.name).write_text(f"{text}\nbest=1\n")
        return system


def state(rpm: Path) -> None:
    """Writes a statement about a package, and its bill."""
    file, bill = statement.accompanying_files(rpm)
    bill.write_text("{}")
    digests = [{"digest": {"sha256": sha256_of(one)}} for one in (rpm, bill)]
    definition = {"internalParameters": {"key": ""}}
    details = {"byproducts": [digests[1]]}
    predicate = {"buildDefinition": definition, "runDetails": details}
    subject = [{"name": rpm.name, **digests[0]}]
    content = {"_type": STATEMENT, "predicateType": PREDICATE, "subject": subject}
    file.write_text(json.dumps({**content, "predicate": predicate}))


@contextmanager
def copy_of_keys(home: Path) -> Iterator[Path]:
    """A copy of a GnuPG home, whose keys may be changed."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        for one in home.iterdir():
            if not one.is_socket():
                copy = shutil.copytree if one.is_dir() else shutil.copy2
                copy(one, Path(folder) / one.name)
        yield Path(folder)
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=True)


@pytest.fixture
def life(
    publisher: Publisher, gnupg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Life]:
    """A publisher that serves on loopback."""
    with copy_of_keys(gnupg) as home, serving(publisher.checkout) as url:
        monkeypatch.setenv("GNUPGHOME", str(home))
        own = Publisher(publisher.checkout, publisher.origin, home)
        yield Life(own, tmp_path, f"{url}/repository")


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
