"""The key that signs: found in the user's GnuPG, held to what the oldest rpm can read, used."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Package, Signing
from pipeline.model.errors import SignError
from pipeline.system import process

# Numbers of public key algorithms (RFC 4880, 9.1), by their names in recipes/package.toml.
_ALGORITHMS = {"rsa": "1"}

# Never ask for a passphrase: who has one unlocks the key in gpg-agent before.
QUIET = ("--batch", "--pinentry-mode", "error")

# Of the user's environment, beside what every program may know.
_PASSED_ON = ("GNUPGHOME", "GPG_TTY")

_UNLOCK = (
    "unlock it in gpg-agent: gpg --armor --detach-sign --local-user {key} --output - /dev/null"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can sign: its fingerprint (40 hex digits), its owner, its armored public half."""

    fingerprint: str
    owner: str
    public: str

    @property
    def exact(self) -> str:
        """The key for gpg's options: this one, and none of its subkeys, which EL7 does not know."""
        return f"{self.fingerprint}!"

    @property
    def hint(self) -> str:
        """What to try where gpg could not sign."""
        return _UNLOCK.format(key=self.fingerprint)


def environment() -> Mapping[str, str]:
    """What gpg needs to know of the user's environment; its folder is named even if it is usual."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"GNUPGHOME": str(Path("~/.gnupg").expanduser()), **kept}


def find(name: str, package: Package) -> Key:
    """The one secret key that gpg knows by this ID, fingerprint or address.

    It has signed something when it is returned. Raises SignError where there is none or more than
    one, where not every dist could verify with it, and where it is locked.
    """
    if not name.strip() or name.startswith("-"):
        raise SignError("no key is named", hint="gpg --list-secret-keys, then --key FINGERPRINT")
    code, listing, complaint = process.attempt(
        ["gpg", "--batch", "--with-colons", "--list-secret-keys", "--", name], env=environment()
    )
    rows = [line.split(":") for line in listing.splitlines()]
    keys = [row for row in rows if row[0] == "sec"]
    if code != 0 or len(keys) != 1:
        raise SignError(
            f"--key {name} names {len(keys)} secret keys",
            expected="one",
            detail="\n".join(complaint.splitlines()[-2:] if not keys else (k[4] for k in keys)),
            hint="gpg --list-secret-keys",
        )
    _hold(name, keys[0], package.signing)
    fingerprint = next(row[9] for row in rows if row[0] == "fpr")
    owner = next((row[9] for row in rows if row[0] == "uid"), "")
    key = Key(fingerprint, owner, _public(fingerprint))
    with tempfile.TemporaryDirectory(prefix="mimalloc-key-") as folder:
        trial = Path(folder) / "trial"
        trial.touch()
        sign_file(trial, key, package)
    return key


def _hold(name: str, row: list[str], demands: Signing) -> None:
    """A key that some dist's rpm could not read, or that is past its end, signs nothing."""
    validity, bits, algorithm, abilities = row[1], int(row[2]), row[3], row[11]
    faults = [
        (validity in "er", "a key that is in force", "expired or revoked"),
        (algorithm != _ALGORITHMS[demands.algorithm], demands.algorithm, "another algorithm"),
        (bits < demands.bits, f"{demands.bits} bits or more", f"{bits} bits"),
        ("s" not in abilities, "a primary key that signs", "one that does not"),
    ]
    for wrong, expected, got in faults:
        if wrong:
            raise SignError(
                f"not every dist can verify what key {name} signs",
                expected=expected,
                got=got,
                hint=f"gpg --quick-generate-key 'NAME <ADDRESS>' {demands.algorithm}4096 sign",
            )


def _public(fingerprint: str) -> str:
    return process.read(
        ["gpg", "--batch", "--armor", "--export", fingerprint],
        error=SignError,
        what=f"gpg cannot export the public half of {fingerprint}",
        env=environment(),
    )


def sign_file(file: Path, key: Key, package: Package) -> Path:
    """Write a detached signature beside a file, armored, its name ending in ``.asc``."""
    signature = file.with_name(f"{file.name}.asc")
    process.read(
        [
            *("gpg", *QUIET, "--yes", "--armor", "--digest-algo", package.signing.digest),
            *("--local-user", key.exact, "--output", signature, "--detach-sign", "--", file),
        ],
        error=SignError,
        what=f"gpg cannot sign with {key.fingerprint}",
        env=environment(),
        hint=key.hint,
    )
    return signature
