"""Signing and serving: what is signed, what is refused, and what the repository contains."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.system.checksum import sha256_of
from tests.build.conftest import NEWEST, SEED, Package
from tests.build.publisher import (
    CONTACT,
    CURVE,
    FOREIGN,
    LOCKED,
    OLD,
    OWN,
    PLACEHOLDER,
    Publisher,
)

URL = "https://packages.example.org/mimalloc"


def address(key: str) -> str:
    """The name of a test key for the command line."""
    return f"{key}@example.invalid"


def complaint(rpm: Path, publisher: Publisher, tmp_path: Path, key: str = OWN) -> str:
    """The message of rpmkeys with a keyring of one key; empty if the signature verifies."""
    public = tmp_path / f"{key}.asc"
    public.write_text(publisher.gpg("--armor", "--export", address(key)))
    database = ["rpmkeys", "--dbpath", str(tmp_path / f"db-{key}")]
    subprocess.run([*database, "--import", str(public)], check=True)
    command = [*database, "--define", "_pkgverify_level all", "--checksig", "-v", str(rpm)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else result.stdout


def test_a_signature_is_one_that_every_dist_can_verify(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """A V4 RSA signature of the header, which EL7's rpm reads; nothing else is changed."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    unsigned = statement.signed_content(rpm)

    assert "signed" in publisher.done("sign", "--key", address(OWN))

    assert "" == complaint(rpm, publisher, tmp_path)
    assert "NOKEY" in complaint(rpm, publisher, tmp_path, FOREIGN)
    query = ["rpm", "-qp", "--nosignature", "--qf", "%{RSAHEADER:pgpsig}", str(rpm)]
    signature = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    assert signature.startswith("RSA/SHA256, ")
    assert publisher.fingerprint()[-16:].lower() in signature
    assert unsigned == statement.signed_content(rpm)
    assert statement.matches(rpm)


def test_a_signed_package_is_not_signed_or_built_again(
    package: Package, publisher: Publisher
) -> None:
    """A second `sign` changes no byte, and for `build` the package is up to date."""
    files = publisher.take_all(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    before = [file.read_bytes() for file in files]

    again = publisher.done("sign", "--key", address(OWN))
    built = publisher.done("build", "--version", NEWEST, "--dist", "el8")

    assert "signed before" in again
    assert "up to date" in built
    assert before == [file.read_bytes() for file in files]


def test_a_signature_outlasts_a_build_that_makes_the_same(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """After a change of our code everything is built again; the same content stays signed."""
    files = publisher.take_all(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    before = [file.read_bytes() for file in files]
    with (publisher.checkout / "pipeline" / "artifact" / "provenance.py").open("a") as code:
        code.write("# another version\n")

    output = publisher.done("build", "--version", NEWEST, "--dist", "el8")

    assert "up to date" not in output
    assert before == [file.read_bytes() for file in files]
    assert all(statement.matches(file) for file in files)
    assert {""} == {complaint(file, publisher, tmp_path) for file in files}
    assert "signed before" in publisher.done("sign", "--key", address(OWN))


def test_a_signature_does_not_outlast_other_content(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """A package with other content is not signed."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))
    assert "" == complaint(rpm, publisher, tmp_path)
    recipe = publisher.checkout / "recipes" / "package.toml"
    recipe.write_text(recipe.read_text().replace('vendor = "', 'vendor = "another '))

    publisher.done("build", "--version", NEWEST, "--dist", "el8")

    assert statement.matches(rpm)
    assert "" != complaint(rpm, publisher, tmp_path)


def test_another_key_replaces_the_signature(
    package: Package, publisher: Publisher, tmp_path: Path
) -> None:
    """A package has one signature, the last one."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(FOREIGN))

    publisher.done("sign", "--key", address(OWN))

    assert "" == complaint(rpm, publisher, tmp_path)
    assert "" != complaint(rpm, publisher, tmp_path, FOREIGN)


def test_a_signed_package_can_be_verified(package: Package, publisher: Publisher) -> None:
    """`invoke verify` does not compare the signature."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.done("sign", "--key", address(OWN))

    assert "byte for byte" in publisher.done("verify", str(rpm))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("nobody@example.invalid", "names 0 secret keys"),
        (address(OWN)[1:], "names 0 secret keys"),
        ("example.invalid", "no whole name of a key"),
        (address(CURVE), "not every dist can verify"),
        (address(OLD), "not every dist can import"),
        (address(LOCKED), "gpg cannot sign with"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(
    package: Package, publisher: Publisher, key: str, message: str
) -> None:
    """No key, a part of an address, keys that EL7 and EL9 cannot read, a locked one."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    before = rpm.read_bytes()

    result = publisher.invoke("sign", "--key", key)

    assert 30 == result.returncode, result.stderr
    assert message in result.stderr
    assert before == rpm.read_bytes()


def test_an_unchecked_package_is_not_signed(package: Package, publisher: Publisher) -> None:
    """One byte is altered, or there is no provenance; other packages are signed."""
    altered, incomplete, good = publisher.take(
        package(NEWEST, "el8"), package("2.0.9", "el8"), package(NEWEST, "el7")
    )
    content = altered.read_bytes()
    altered.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for file in statement.accompanying_files(incomplete):
        file.unlink()

    result = publisher.invoke("sign", "--key", address(OWN))

    assert 30 == result.returncode
    assert "2 of 3 packages were not signed" in result.stderr
    for rpm in (altered, incomplete):
        assert f"{rpm.name} is not a package that passed the checks" in result.stderr
    assert content[:-1] == altered.read_bytes()[:-1]
    assert f"signed        {good.name}" in result.stdout


def test_a_recipe_with_the_placeholder_signs_nothing(
    package: Package, publisher: Publisher
) -> None:
    """Users could write to nobody; the recipe is named."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    recipe = publisher.checkout / "recipes" / "package.toml"
    recipe.write_text(recipe.read_text().replace(CONTACT, PLACEHOLDER))
    before = rpm.read_bytes()

    result = publisher.invoke("sign", "--key", address(OWN))

    assert 30 == result.returncode
    assert "package.toml names a packager whom nobody can write to" in result.stderr
    assert f"got:      {PLACEHOLDER}" in result.stderr
    assert before == rpm.read_bytes()


def test_a_package_with_the_placeholder_is_not_signed(
    package: Package, publisher: Publisher
) -> None:
    """It was built before the contact was set; other packages are signed."""
    (good,) = publisher.take(package(NEWEST, "el8"))
    built = package("2.0.9", "el8").rpm
    for file in (built, *statement.accompanying_files(built)):
        shutil.copy(file, good.parent)

    result = publisher.invoke("sign", "--key", address(OWN))

    assert 30 == result.returncode
    assert f"PACKAGER: expected {CONTACT}, got {PLACEHOLDER}" in result.stderr
    assert f"signed        {good.name}" in result.stdout
    assert built.read_bytes() == (good.parent / built.name).read_bytes()


def test_only_our_signed_packages_are_served(package: Package, publisher: Publisher) -> None:
    """Unsigned, altered after signing, signed with another key: each is named, none is served."""
    unsigned, altered, foreign = publisher.take(
        package("2.0.9", "el7"), package(NEWEST, "el8"), package(NEWEST, "el7")
    )
    publisher.done("sign", "--key", address(OWN))
    publisher.take(package("2.0.9", "el7"))
    publisher.sign_by_hand(foreign, FOREIGN)
    statement.replace_with_signed(foreign, foreign, "0" * 40)
    content = altered.read_bytes()
    altered.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    result = publisher.invoke("repo", "--key", address(OWN), "--url", URL)

    assert 31 == result.returncode
    assert f"{unsigned.name}: not signed" in result.stderr
    assert f"{foreign.name}: Header V4 RSA/" in result.stderr
    assert f"{altered.name}: not the file that its provenance names" in result.stderr
    assert not publisher.served.exists()


def test_each_folder_has_signed_metadata_and_signed_checksums(
    package: Package, publisher: Publisher
) -> None:
    """The signatures verify, the checksums are right, and the accompanying files are there."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.publish(URL)
    folder = publisher.served / "el8" / "x86_64"

    for signed in (folder / "repodata" / "repomd.xml", folder / "SHA256SUMS"):
        publisher.gpg("--verify", f"{signed}.asc", signed)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: sha256 for sha256, name in (line.split("  ") for line in lines)}
    assert {rpm.name, *(file.name for file in statement.accompanying_files(rpm))} == set(sums)
    for name, sha256 in sums.items():
        assert sha256_of(folder / name) == sha256
    key = publisher.served / "RPM-GPG-KEY-mimalloc-custom"
    assert publisher.fingerprint() in publisher.gpg("--show-keys", key)


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_a_web_server_can_read_all_that_is_served(
    package: Package, publisher: Publisher, mask: int
) -> None:
    """And nobody but us can write to it, whatever the umask of the publisher is."""
    publisher.take(package("2.0.9", "el8"))
    before = os.umask(mask)
    try:
        publisher.publish(URL)
    finally:
        os.umask(before)

    tree = publisher.served.resolve()
    for path in (tree.parent, tree, *tree.rglob("*")):
        assert (0o755 if path.is_dir() else 0o644) == path.stat().st_mode & 0o7777, path


def test_old_versions_stay_until_they_are_pruned(package: Package, publisher: Publisher) -> None:
    """A package that is no longer in dist/ is still served; `--keep` prunes each release line."""
    first = publisher.take(package(SEED, "el8"), package(NEWEST, "el8", flavor="secure"))
    publisher.publish(URL)
    for rpm in first:
        rpm.unlink()
    (newer,) = publisher.take(package("2.0.9", "el8"))

    publisher.publish(URL)
    folder = publisher.served / "el8" / "x86_64"
    both = {file.name for file in folder.glob("*.rpm")}
    publisher.publish(URL, "--keep", "1")

    assert {newer.name, *(rpm.name for rpm in first)} == both
    assert {newer.name, first[1].name} == {file.name for file in folder.glob("*.rpm")}


def test_a_served_file_never_changes(package: Package, publisher: Publisher) -> None:
    """Other content of a served name is refused; with another signature, the old file stays."""
    (rpm,) = publisher.take(package(NEWEST, "el8"))
    publisher.publish(URL)
    served = (publisher.served / "el8" / "x86_64" / rpm.name).read_bytes()

    publisher.take(package(NEWEST, "el8"))
    assert "up to date" in publisher.done("repo", "--key", address(OWN), "--url", URL)
    assert served == (publisher.served / "el8" / "x86_64" / rpm.name).read_bytes()

    rpm.write_bytes(package("2.0.9", "el8").rpm.read_bytes())
    result = publisher.invoke("repo", "--key", address(OWN), "--url", URL)
    assert 31 == result.returncode
    assert "served already, with another content" in result.stderr


def test_the_files_of_the_previous_metadata_are_served(
    package: Package, publisher: Publisher
) -> None:
    """For clients that read repomd.xml before the change; the new one does not name them."""
    publisher.take(package("2.0.9", "el8"))
    publisher.publish(URL)
    folder = publisher.served / "el8" / "x86_64"
    repomd = folder / "repodata" / "repomd.xml"
    names = re.findall(r'href="([^"]+)"', repomd.read_text())
    contents = {name: (folder / name).read_bytes() for name in names}
    assert contents

    publisher.take(package(NEWEST, "el8"))
    publisher.publish(URL)

    assert contents == {name: (folder / name).read_bytes() for name in names}
    assert not set(names) & set(re.findall(r'href="([^"]+)"', repomd.read_text()))


def test_a_killed_publication_leaves_a_complete_tree(
    package: Package, publisher: Publisher
) -> None:
    """After SIGKILL the old tree is served, or the new one; the next run succeeds."""
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
        (("--url", URL, "--keep", "0"), "--keep\n  expected: a number of 1 or more"),
    ],
)
def test_an_invalid_option_is_refused(
    publisher: Publisher, options: tuple[str, ...], message: str
) -> None:
    """The address goes into files that package managers read."""
    result = publisher.invoke("repo", "--key", address(OWN), *options)

    assert 2 == result.returncode
    assert message in result.stderr


def test_each_release_line_has_a_repo_file(package: Package, publisher: Publisher) -> None:
    """It enables both signature checks, and includes the packages of its line only."""
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
