"""`publish.key`: which keys can sign, told from what gpg prints of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.model import Plan
from pipeline.model.errors import SignError
from pipeline.publish import key
from pipeline.system import process

FINGERPRINT = "A" * 24 + "0123456789ABCDEF"
# Fields: kind, validity, bits, algorithm, key, created, expires, ..., abilities (12th).
GOOD = "sec:u:4096:1:0123456789ABCDEF:1795537991:::u:::scSC:::+:::23::0:"
REST = f"fpr:::::::::{FINGERPRINT}:\nuid:u::::1::X::Nobody <nobody@x.invalid>::::::::::0:\n"

Tell = Callable[..., None]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Sets what gpg prints of secret keys; all else that it is asked goes well."""

    def told(listing: str, code: int = 0) -> None:
        answer = (code, listing, "gpg: error reading key: No secret key\n")
        monkeypatch.setattr(process, "attempt", lambda *_, **__: answer)
        monkeypatch.setattr(process, "read", lambda *_, **__: "public half\n")

    return told


def test_the_one_key_of_a_name_is_found(tell: Tell, plan: Plan) -> None:
    """With its fingerprint, which is what it is called from here on."""
    tell(f"{GOOD}\n{REST}")

    found = key.find("nobody@x.invalid", plan.package)

    assert key.Key(FINGERPRINT, "Nobody <nobody@x.invalid>", "public half\n") == found
    assert f"{FINGERPRINT}!" == found.exact


@pytest.mark.parametrize(
    ("row", "expected", "got"),
    [
        (GOOD.replace(":1:", ":22:", 1), "rsa", "another algorithm"),
        (GOOD.replace("4096", "1024"), "2048 bits or more", "1024 bits"),
        (GOOD.replace("sec:u", "sec:e"), "a key that is in force", "expired or revoked"),
        (GOOD.replace("sec:u", "sec:r"), "a key that is in force", "expired or revoked"),
        (GOOD.replace("scSC", "cSC"), "a primary key that signs", "one that does not"),
    ],
)
def test_a_key_that_some_rpm_cannot_read_is_refused(
    tell: Tell, plan: Plan, row: str, expected: str, got: str
) -> None:
    """Before anything is signed with it."""
    tell(f"{row}\n{REST}")

    with pytest.raises(SignError) as caught:
        key.find("nobody", plan.package)

    assert (expected, got) == (caught.value.expected, caught.value.got)


@pytest.mark.parametrize(
    ("listing", "code", "count"), [("", 2, 0), (f"{GOOD}\n{REST}{GOOD}\n{REST}", 0, 2)]
)
def test_a_name_must_mean_one_key(
    tell: Tell, plan: Plan, listing: str, code: int, count: int
) -> None:
    """None and several are told apart."""
    tell(listing, code)

    with pytest.raises(SignError, match=f"names {count} secret keys"):
        key.find("nobody", plan.package)


@pytest.mark.parametrize("name", ["", " ", "--output=/etc/passwd"])
def test_no_name_is_an_option_of_gpg(plan: Plan, name: str) -> None:
    """gpg is not even asked."""
    with pytest.raises(SignError, match="no key is named"):
        key.find(name, plan.package)


def test_a_locked_key_is_never_asked_for(
    tell: Tell, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gpg is told not to ask, and the message says how to unlock it."""
    tell(f"{GOOD}\n{REST}")
    asked: list[tuple[str, ...]] = []

    def read(argv: list[str | Path], **more: str) -> str:
        asked.append(tuple(map(str, argv)))
        if "--detach-sign" in argv:
            raise SignError(more["what"], hint=more["hint"])
        return "public half\n"

    monkeypatch.setattr(process, "read", read)
    with pytest.raises(SignError, match="gpg cannot sign with") as caught:
        key.find("nobody", plan.package)

    assert "gpg-agent" in caught.value.hint
    assert {"--batch", "--pinentry-mode", "error"} <= set(asked[-1])


def test_gpg_finds_its_folder_also_where_home_is_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """rpmsign is given a home without macros; the keys stay where the user has them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GNUPGHOME", raising=False)
    assert str(tmp_path / ".gnupg") == key.environment()["GNUPGHOME"]

    monkeypatch.setenv("GNUPGHOME", "/somewhere")
    assert "/somewhere" == key.environment()["GNUPGHOME"]
