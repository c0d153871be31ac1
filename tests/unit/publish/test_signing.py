"""`publish.signing`: which keys are accepted, by what gpg prints about them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model import Plan
from pipeline.model.errors import SignError
from pipeline.publish import signing
from pipeline.publish.signing import Key
from pipeline.system import process

FINGERPRINT = "A" * 24 + "0123456789ABCDEF"
# Fields: kind, validity, bits, algorithm, key, created, expires, ..., capabilities (12th).
GOOD = "sec:u:4096:1:0123456789ABCDEF:1795537991:::u:::scSC:::+:::23::0:"
REST = f"fpr:::::::::{FINGERPRINT}:\nuid:u::::1::X::Nobody <nobody@x.invalid>::::::::::0:\n"

SetListing = Callable[..., None]
Find = Callable[[str], Key]


@pytest.fixture
def find(plan: Plan, tmp_path: Path) -> Find:
    """Finds a key by its name."""
    return lambda name: signing.find_key(name, plan.package.signing, tmp_path)


@pytest.fixture
def set_listing(monkeypatch: pytest.MonkeyPatch) -> SetListing:
    """Sets the listing of secret keys that gpg prints; all other commands succeed."""

    def patch(listing: str, code: int = 0) -> None:
        result = (code, listing, "gpg: error reading key: No secret key\n")
        monkeypatch.setattr(process, "attempt", lambda *_, **__: result)
        monkeypatch.setattr(process, "read", lambda *_, **__: "public key\n")

    return patch


def test_the_only_key_of_a_name_is_returned(
    set_listing: SetListing, find: Find, tmp_path: Path
) -> None:
    """With its fingerprint, its owner and its public key."""
    set_listing(f"{GOOD}\n{REST}")

    expected = Key(FINGERPRINT, "Nobody <nobody@x.invalid>", "public key\n", "sha256", tmp_path)
    assert expected == find("nobody@x.invalid")


@pytest.mark.parametrize(
    ("row", "got"),
    [
        (GOOD.replace(":1:", ":22:", 1), "another algorithm"),
        (GOOD.replace("4096", "1024"), "1024 bits"),
        (GOOD.replace("sec:u", "sec:e"), "expired or revoked"),
        (GOOD.replace("sec:u", "sec:r"), "expired or revoked"),
        (GOOD.replace("scSC", "cSC"), "a primary key that does not sign"),
        (GOOD.replace("sec:u:4096", "sec:e:1024"), "expired or revoked, 1024 bits"),
    ],
)
def test_a_key_that_some_rpm_cannot_read_is_refused(
    set_listing: SetListing, find: Find, row: str, got: str
) -> None:
    """Before anything is signed with it."""
    set_listing(f"{row}\n{REST}")

    with pytest.raises(SignError) as caught:
        find("nobody")

    assert "a valid key that signs: rsa, 2048 bits or more" == caught.value.expected
    assert got == caught.value.got


@pytest.mark.parametrize(
    ("listing", "code", "count"), [("", 2, 0), (f"{GOOD}\n{REST}{GOOD}\n{REST}", 0, 2)]
)
def test_a_name_must_match_one_key(
    set_listing: SetListing, find: Find, listing: str, code: int, count: int
) -> None:
    """The message says how many keys match."""
    set_listing(listing, code)

    with pytest.raises(SignError, match=f"names {count} secret keys"):
        find("nobody")


@pytest.mark.parametrize("name", ["", " ", "--output=/etc/passwd"])
def test_no_name_is_an_option_of_gpg(find: Find, name: str) -> None:
    """gpg is not started."""
    with pytest.raises(SignError, match="no key is named"):
        find(name)


def test_a_passphrase_is_never_asked_for(
    set_listing: SetListing, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gpg fails for a locked key instead, and the message says how to unlock it."""
    set_listing(f"{GOOD}\n{REST}")
    commands: list[tuple[str, ...]] = []

    def read(argv: list[str | Path], error: SignError, **options: object) -> str:
        commands.append(tuple(map(str, argv)))
        if "--detach-sign" in argv:
            raise error
        return "public key\n"

    monkeypatch.setattr(process, "read", read)
    with pytest.raises(SignError, match="gpg cannot sign with") as caught:
        find("nobody")

    assert "gpg-agent" in caught.value.hint
    assert {"--batch", "--pinentry-mode", "error", f"{FINGERPRINT}!"} <= set(commands[-1])


def test_gpg_uses_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Although rpmsign gets another home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GNUPGHOME", raising=False)
    assert str(tmp_path / ".gnupg") == signing.environment()["GNUPGHOME"]

    monkeypatch.setenv("GNUPGHOME", "/somewhere")
    assert "/somewhere" == signing.environment()["GNUPGHOME"]


@pytest.mark.parametrize(
    "packager",
    ["A B <packages@publisher.test>", "https://publisher.test/issues", "a@examples.org", "a@b.net"],
)
def test_a_contact(packager: str) -> None:
    """An address or a URL."""
    signing.check_contact(Path("package.toml"), packager)


@pytest.mark.parametrize(
    "packager",
    [
        "mimalloc-custom maintainers <maintainers@mimalloc-custom.invalid>",
        "packager@example.org",
        "Packager <packager@mail.Example.COM>",
        "packager@packages.example",
        "https://packages.example.net/contact",
        "root@localhost",
        "root@host.localhost.",
        "somebody",
        "",
    ],
)
def test_no_contact(packager: str) -> None:
    """A name that is reserved for examples, or none."""
    with pytest.raises(SignError) as caught:
        signing.check_contact(Path("recipes/package.toml"), packager)

    assert "package.toml names a packager whom nobody can write to" == caught.value.what
    assert (packager or "none") == caught.value.got
    assert "set packager in recipes/package.toml" in caught.value.hint
