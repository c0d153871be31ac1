"""`publish.key`: which keys are accepted, by what gpg prints about them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.model import Plan
from pipeline.model.errors import SignError
from pipeline.publish import key
from pipeline.publish.key import Key
from pipeline.system import process

ADDRESS = "nobody@x.invalid"
FINGERPRINT = "A" * 24 + "0123456789ABCDEF"
# Fields: kind, validity, bits, algorithm, key, created, expires, ..., capabilities (12th).
GOOD = "sec:u:4096:1:0123456789ABCDEF:1795537991:::u:::scSC:::+:::23::0:"
REST = f"fpr:::::::::{FINGERPRINT}:\nuid:u::::1::X::Nobody <nobody@x.invalid>::::::::::0:\n"

SetListing = Callable[..., None]
Find = Callable[[str], Key]


@pytest.fixture
def find(plan: Plan, tmp_path: Path) -> Find:
    """Finds a key by its name."""
    return lambda name: key.find_key(name, plan.package.signing, tmp_path)


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
    assert expected == find(ADDRESS)


@pytest.mark.parametrize(
    ("row", "got"),
    [
        (GOOD.replace(":1:", ":22:", 1), "another algorithm"),
        (GOOD.replace("4096", "1024"), "1024 bits"),
        (GOOD.replace(":1:", ":17:", 1), "another algorithm"),
        (GOOD.replace("sec:u", "sec:e"), "expired"),
        (GOOD.replace("sec:u", "sec:r"), "revoked"),
        (GOOD.replace("scSC", "scSCD"), "disabled"),
        (GOOD.replace("scSC", "cSC"), "a primary key that does not sign"),
        (GOOD.replace("scSC", "ecEC"), "a primary key that does not sign"),
        (GOOD.replace("+", "#"), "a primary key whose secret is elsewhere"),
        (GOOD.replace("sec:u:4096", "sec:e:1024"), "expired, 1024 bits"),
    ],
)
def test_a_key_that_some_rpm_cannot_read_is_refused(
    set_listing: SetListing, find: Find, row: str, got: str
) -> None:
    """Before anything is signed with it."""
    set_listing(f"{row}\n{REST}")

    with pytest.raises(SignError) as caught:
        find(ADDRESS)

    assert "a valid key that signs: rsa, 2048 bits or more" == caught.value.expected
    assert got == caught.value.got
    command = "--quick-set-expire" if got == "expired" else "--quick-generate-key"
    assert command in caught.value.hint


@pytest.mark.parametrize(
    ("listing", "code", "count"), [("", 2, 0), (f"{GOOD}\n{REST}{GOOD}\n{REST}", 0, 2)]
)
def test_a_name_must_match_one_key(
    set_listing: SetListing, find: Find, listing: str, code: int, count: int
) -> None:
    """The message says how many keys match."""
    set_listing(listing, code)

    with pytest.raises(SignError, match=f"names {count} secret keys"):
        find(ADDRESS)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "--output=/etc/passwd", "-a@x.invalid"),
        *("nobody", "x.invalid", "@x.invalid", "nobody@", "Nobody <nobody@x.invalid>", "a b@x"),
        *(FINGERPRINT[:8], FINGERPRINT[1:], f"{FINGERPRINT}!"),
    ],
)
def test_a_part_of_a_name_is_no_name(find: Find, name: str) -> None:
    """gpg is not started: it would take a part of an address, or an option."""
    with pytest.raises(SignError, match="no whole name of a key"):
        find(name)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        (ADDRESS, f"<{ADDRESS}>"),
        (FINGERPRINT, FINGERPRINT),
        (FINGERPRINT[-16:].lower(), FINGERPRINT[-16:].lower()),
        (f"0x{FINGERPRINT}", f"0x{FINGERPRINT}"),
    ],
)
def test_gpg_gets_a_whole_name(
    set_listing: SetListing, find: Find, monkeypatch: pytest.MonkeyPatch, name: str, query: str
) -> None:
    """In angle brackets an address is a whole one."""
    asked: list[str] = []

    def attempt(argv: list[str], **options: object) -> tuple[int, str, str]:
        asked.append(argv[-1])
        return 0, f"{GOOD}\n{REST}", ""

    set_listing("")
    monkeypatch.setattr(process, "attempt", attempt)
    find(name)

    assert [query] == asked


def test_a_key_that_ends_soon_is_warned_of(set_listing: SetListing, find: Find) -> None:
    """90 days before; the line names what is to be done."""
    end = datetime(2027, 3, 1, tzinfo=UTC)
    set_listing(GOOD.replace("1795537991::", f"1795537991:{end.timestamp():.0f}:") + f"\n{REST}")
    found = find(ADDRESS)

    assert "" == found.warning(end - timedelta(days=91))
    warning = found.warning(end - timedelta(days=89))
    assert warning.startswith("the key ends on 2027-03-01: replace it in time")
    set_listing(f"{GOOD}\n{REST}")
    assert "" == find(ADDRESS).warning(end)


@pytest.mark.parametrize(("number", "digest"), [(1, "MD5"), (2, "SHA-1"), (3, "RIPEMD-160")])
def test_a_key_with_a_weak_signature_of_itself_is_refused(
    set_listing: SetListing, find: Find, monkeypatch: pytest.MonkeyPatch, number: int, digest: str
) -> None:
    """Enterprise Linux 9 does not import it. What is not served of the key does not matter."""
    set_listing(f"{GOOD}\n{REST}")
    own = f"sig:::1:{FINGERPRINT[-16:]}:1::::x:13x::{FINGERPRINT}:::{{}}:\n"
    monkeypatch.setattr(process, "read", lambda *_, **__: own.format(8))
    find(ADDRESS)
    monkeypatch.setattr(process, "read", lambda *_, **__: own.format(number))

    with pytest.raises(SignError, match="not every dist can import") as caught:
        find(ADDRESS)

    assert digest == caught.value.got


def test_a_revoked_name_is_not_the_owner(set_listing: SetListing, find: Find) -> None:
    """Of several names of a key, the first that is valid is shown."""
    set_listing(f"{GOOD}\n{REST.replace('uid:u', 'uid:r').replace('Nobody', 'Old')}{REST}")

    assert "Nobody <nobody@x.invalid>" == find(ADDRESS).owner


def test_a_public_key_verifies_and_does_not_sign(
    set_listing: SetListing, tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the last key, after a change: its secret may be gone."""
    set_listing(f"{GOOD.replace('sec:', 'pub:').replace('+', '')}\n{REST}")
    monkeypatch.setattr(Key, "sign_file", lambda *_: pytest.fail("it has no secret"))

    found = key.find_key(ADDRESS, plan.package.signing, tmp_path / "new", secret=False)

    assert FINGERPRINT == found.fingerprint


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
        find(ADDRESS)

    assert "gpg-agent" in caught.value.hint
    assert {"--batch", "--pinentry-mode", "error", f"{FINGERPRINT}!"} <= set(commands[-1])


def test_gpg_uses_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Although rpmsign gets another home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GNUPGHOME", raising=False)
    assert str(tmp_path / ".gnupg") == key.environment()["GNUPGHOME"]

    monkeypatch.setenv("GNUPGHOME", "/somewhere")
    assert "/somewhere" == key.environment()["GNUPGHOME"]


GOODSIG = f"[GNUPG:] GOODSIG {FINGERPRINT[-16:]} Nobody <nobody@x.invalid>"
VALIDSIG = "[GNUPG:] VALIDSIG {} 2026-11-26 1795719812 0 4 0 1 8 00 {}"


@pytest.mark.parametrize(
    ("code", "rows", "has_signed"),
    [
        (0, [GOODSIG, VALIDSIG.format(FINGERPRINT, FINGERPRINT)], True),
        (1, [GOODSIG, VALIDSIG.format(FINGERPRINT, FINGERPRINT)], False),
        (0, [GOODSIG, VALIDSIG.format("B" * 40, "B" * 40)], False),
        (0, [GOODSIG, VALIDSIG.format("B" * 40, FINGERPRINT)], False),
        (0, [VALIDSIG.format(FINGERPRINT, FINGERPRINT)], False),
        (0, [GOODSIG, f"[GNUPG:] NOTATION_DATA x\\n[GNUPG:] VALIDSIG {FINGERPRINT} "], False),
        (2, ["[GNUPG:] NODATA 4", "", "gpg"], False),
    ],
)
def test_a_signature_is_of_the_key_itself(
    key: Key, monkeypatch: pytest.MonkeyPatch, code: int, rows: list[str], has_signed: bool
) -> None:
    """Not of another key, nor of a subkey; it has not ended; and gpg has nothing to complain."""
    monkeypatch.setattr(process, "attempt", lambda *_, **__: (code, "\n".join(rows), ""))

    assert has_signed == replace(key, fingerprint=FINGERPRINT).has_signed(Path("SHA256SUMS"))


def test_many_packages_take_few_programs(key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for 200, whose exit code is no multiple of 256; where one is bad, each is asked for."""
    rpms = [Path(f"{number}.rpm") for number in range(450)]
    parts: list[int] = []

    def attempt(argv: list[object], **_: object) -> tuple[int, str, str]:
        parts.append(sum(part in rpms for part in argv))
        return int(rpms[201] in argv), "", ""

    monkeypatch.setattr(process, "attempt", attempt)

    assert frozenset((*rpms[:200], *rpms[400:])) == key.verified(rpms)
    assert [200, 200, 50] == parts
