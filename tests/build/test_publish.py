"""Signing and serving: what is signed, what is refused, what a reader of the repository sees."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.artifact import signed_content, statement
from tests.build.conftest import NEWEST, Package
from tests.build.publisher import CURVE, FOREIGN, LOCKED, OWN, Publisher

URL = "https://packages.example.org/mimalloc"


def address(key: str) -> str:
    """How the tests' keys are named on the command line."""
    return f"{key}@example.invalid"


def complaint(rpm: Path, publisher: Publisher, tmp_path: Path, key: str = OWN) -> str:
    """What rpmkeys says of a package, with a keyring that holds one key; nothing if all is well."""
    public = tmp_path / f"{key}.asc"
    public.write_text(publisher.gpg("--armor", "--export", address(key)))
    database = ["rpmkeys", "--dbpath", str(tmp_path / f"db-{key}")]
    subprocess.run([*database, "--import", str(public)], check=True)
    command = [*database, "--define", "_pkgverify_level all", "--checksig", "-v", str(rpm)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout


def test_a_signature_is_one_that_every_dist_can_verify(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """A V4 RSA signature of the header, which EL7's rpm reads; and nothing else has changed."""
    built = package(NEWEST, "el8")
    (rpm,) = publisher.take(built)

    told = publisher.done("sign", "--key", address(OWN))

    assert "signed" in told
    assert "" == complaint(rpm, publisher, tmp_path)
    assert "NOKEY" in complaint(rpm, publisher, tmp_path, FOREIGN)
    query = ["rpm", "-qp", "--nosignature", "--qf", "%{RSAHEADER:pgpsig}", str(rpm)]
    signature = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    assert signature.startswith("RSA/SHA256, ")
    assert publisher.fingerprint()[-16:].lower() in signature
    assert signed_content.signed(built.rpm) == signed_content.signed(rpm)
    assert statement.vouches(rpm)


def test_what_is_signed_is_not_signed_or_built_again(
    package: Package, publisher: Publisher
) -> None:
    """A second `sign` changes no byte, and to `build` the package is up to date."""
    rpm, subpackage = publisher.take_all(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    before = [file.read_bytes() for file in (rpm, subpackage)]

    again = publisher.done("sign", "--key", address(OWN))
    built = publisher.done("build", "--version", NEWEST, "--dist", "el8")

    assert "signed before" in again
    assert "up to date" in built
    assert before == [file.read_bytes() for file in (rpm, subpackage)]


def test_a_signature_outlasts_a_build_that_makes_the_same(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """Another version of our code makes all anew; what comes out as before keeps its signature."""
    files = publisher.take_all(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    before = [file.read_bytes() for file in files]
    with (publisher.checkout / "pipeline" / "purl.py").open("a") as code:
        code.write("# another version\n")

    told = publisher.done("build", "--version", NEWEST, "--dist", "el8")

    assert "up to date" not in told
    assert before == [file.read_bytes() for file in files]
    assert all(statement.vouches(file) for file in files)
    assert ["", ""] == [complaint(file, publisher, tmp_path) for file in files]
    assert "signed before" in publisher.done("sign", "--key", address(OWN))


def test_a_signature_does_not_outlast_other_content(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """It is of what was; what is made now has none until it is signed."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    assert "" == complaint(rpm, publisher, tmp_path)
    texts = publisher.checkout / "recipes" / "package.toml"
    texts.write_text(texts.read_text().replace('vendor = "', 'vendor = "another '))

    publisher.done("build", "--version", NEWEST, "--dist", "el8")

    assert statement.vouches(rpm)
    assert "" != complaint(rpm, publisher, tmp_path)


def test_another_key_takes_the_place_of_the_first(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """A package has one signature, that of whoever signed last."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(FOREIGN))

    publisher.done("sign", "--key", address(OWN))

    assert "" == complaint(rpm, publisher, tmp_path)
    assert "" != complaint(rpm, publisher, tmp_path, FOREIGN)


def test_a_signed_package_is_what_its_recipe_makes(package: Package, publisher: Publisher) -> None:
    """`invoke verify` leaves the signature out of the comparison."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))

    assert "byte for byte" in publisher.done("verify", str(rpm))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("nobody", "names 0 secret keys"),
        ("example.invalid", "names 4 secret keys"),
        (address(CURVE), "not every dist can verify"),
        (address(LOCKED), "gpg cannot sign with"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(
    package: Package, publisher: Publisher, key: str, message: str
) -> None:
    """None, several, one that EL7 cannot read, one whose passphrase we do not ask for."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    before = rpm.read_bytes()

    told = publisher.invoke("sign", "--key", key)

    assert 30 == told.returncode, told.stderr
    assert message in told.stderr
    assert before == rpm.read_bytes()


def test_what_did_not_pass_the_checks_is_not_signed(package: Package, publisher: Publisher) -> None:
    """One changed byte, or no provenance: neither is signed, and the others are."""
    altered, bare, good = publisher.take(
        package(NEWEST, "el8"), package("2.0.9", "el8"), package(NEWEST, "el7")
    )
    content = altered.read_bytes()
    altered.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for file in statement.beside(bare):
        file.unlink()

    told = publisher.invoke("sign", "--key", address(OWN))

    assert 30 == told.returncode
    assert "2 of 3 packages were not signed" in told.stderr
    for rpm in (altered, bare):
        assert f"{rpm.name} is not a package that passed the checks" in told.stderr
    assert content[:-1] == altered.read_bytes()[:-1]
    assert f"signed        {good.name}" in told.stdout


def test_nothing_but_our_signed_packages_is_served(package: Package, publisher: Publisher) -> None:
    """Unsigned, altered after signing, signed by somebody else: all told, and nothing is served."""
    unsigned, altered, foreign = publisher.take(
        package("2.0.9", "el7"), package(NEWEST, "el8"), package(NEWEST, "el7")
    )
    publisher.done("sign", "--key", address(OWN))
    publisher.take(package("2.0.9", "el7"))
    publisher.sign_by_hand(foreign, FOREIGN)
    statement.resign(foreign, foreign, "0" * 40)
    content = altered.read_bytes()
    altered.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    told = publisher.invoke("repo", "--key", address(OWN), "--url", URL)

    assert 31 == told.returncode
    assert f"{unsigned.name}: not signed" in told.stderr
    assert f"{foreign.name}: Header V4 RSA/" in told.stderr
    assert f"{altered.name}: not the file that its provenance names" in told.stderr
    assert not publisher.served.exists()


def test_each_folder_has_signed_metadata_and_signed_checksums(
    package: Package, publisher: Publisher
) -> None:
    """Both signatures verify, each checksum is right, and what accounts for a package is there."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.publish(URL)
    folder = publisher.served / "el8" / "x86_64"

    for signed in (folder / "repodata" / "repomd.xml", folder / "SHA256SUMS"):
        publisher.gpg("--verify", f"{signed}.asc", signed)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: told for told, name in (line.split("  ") for line in lines)}
    assert {rpm.name, *(file.name for file in statement.beside(rpm))} == set(sums)
    for name, told in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == told
    key = publisher.served / "RPM-GPG-KEY-mimalloc-custom"
    assert publisher.fingerprint() in publisher.gpg("--show-keys", key)


def test_old_versions_stay_until_they_are_pruned(package: Package, publisher: Publisher) -> None:
    """What has left dist/ is still served; `--keep` leaves the newest ones of each package."""
    first = publisher.take(package("2.0.9", "el8"), package("2.0.9", "el8", flavor="secure"))
    publisher.publish(URL)
    for rpm in first:
        rpm.unlink()
    (newer,) = publisher.take(package(NEWEST, "el8"))

    publisher.publish(URL)
    folder = publisher.served / "el8" / "x86_64"
    both = {file.name for file in folder.glob("*.rpm")}
    publisher.publish(URL, "--keep", "1")

    assert {newer.name, *(rpm.name for rpm in first)} == both
    # The secure package is another one, and 2.0.9 its newest.
    assert {newer.name, first[1].name} == {file.name for file in folder.glob("*.rpm")}


def test_what_was_served_is_never_another(package: Package, publisher: Publisher) -> None:
    """Other content under a served name is refused; another signature of the same keeps the old."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.publish(URL)
    served = (publisher.served / "el8" / "x86_64" / rpm.name).read_bytes()

    publisher.take(package(NEWEST, "el8"))
    assert "up to date" in publisher.done("repo", "--key", address(OWN), "--url", URL)
    assert served == (publisher.served / "el8" / "x86_64" / rpm.name).read_bytes()

    other = package("2.0.9", "el8").rpm.read_bytes()
    rpm.write_bytes(other)
    told = publisher.invoke("repo", "--key", address(OWN), "--url", URL)
    assert 31 == told.returncode
    assert "served already, with another content" in told.stderr


def test_a_reader_of_the_last_metadata_still_finds_its_files(
    package: Package, publisher: Publisher
) -> None:
    """Who read repomd.xml before the switch gets all that it names after it; the next one not."""
    publisher.take(package("2.0.9", "el8"))
    publisher.publish(URL)
    folder = publisher.served / "el8" / "x86_64"
    before = re.findall(r'href="([^"]+)"', (folder / "repodata" / "repomd.xml").read_text())
    kept = {name: (folder / name).read_bytes() for name in before}
    assert kept

    publisher.take(package(NEWEST, "el8"))
    publisher.publish(URL)

    assert kept == {name: (folder / name).read_bytes() for name in before}
    assert not set(before) & set(
        re.findall(r'href="([^"]+)"', (folder / "repodata" / "repomd.xml").read_text())
    )


def test_a_killed_publication_leaves_what_was_served(
    package: Package, publisher: Publisher
) -> None:
    """SIGKILL at many moments: the old tree whole or the new one whole, and the next run ends."""
    publisher.take(package("2.0.9", "el8"))
    publisher.publish(URL)
    publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    command = ["invoke", "repo", "--key", address(OWN), "--url", URL]
    environment = {**os.environ, "GNUPGHOME": str(publisher.gnupg)}
    page = publisher.served / "index.html"
    old = page.read_text()

    for moment in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9):
        child = subprocess.Popen(
            command,
            cwd=publisher.checkout,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        child.wait()
        names = {file.name for file in publisher.served.glob("el8/x86_64/*.rpm")}
        assert len(names) == (1 if page.read_text() == old else 2)
        for repomd in publisher.served.glob("*/*/repodata/repomd.xml"):
            publisher.gpg("--verify", f"{repomd}.asc", repomd)

    publisher.done(*command[1:])
    assert 2 == len(list(publisher.served.glob("el8/x86_64/*.rpm")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--url", "packages.example.org"), "--url is where"),
        (("--url", "https://x.example/a b"), "--url is where"),
        (("--url", "https://x.example/\nenabled=0"), "--url is where"),
        (("--url", URL, "--keep", "0"), "--keep is a number"),
    ],
)
def test_an_address_that_would_not_be_one_is_refused(
    publisher: Publisher, options: tuple[str, ...], message: str
) -> None:
    """It goes into files that package managers read."""
    told = publisher.invoke("repo", "--key", address(OWN), *options)

    assert 2 == told.returncode
    assert message in told.stderr


def test_each_line_has_a_file_of_its_own(package: Package, publisher: Publisher) -> None:
    """It takes both signature checks, and names the packages of its line only."""
    publisher.take(package("2.0.9", "el8"), package(NEWEST, "el8", flavor="secure"))
    publisher.publish(URL)

    second, third = (
        (publisher.served / "el8" / f"mimalloc-custom-{line}.repo").read_text()
        for line in ("v2", "v3")
    )
    for text in (second, third):
        assert f"baseurl={URL}/el8/$basearch/\n" in text
        assert "\ngpgcheck=1\nrepo_gpgcheck=1\n" in text
        assert f"gpgkey={URL}/RPM-GPG-KEY-mimalloc-custom\n" in text
    assert "includepkgs=mimalloc-custom-2.*\n" in second
    assert "includepkgs=mimalloc-custom-secure-3.*\n" in third
