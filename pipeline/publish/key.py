"""The signing key: a secret key in the user's GnuPG that the rpm of every dist can verify."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Signing
from pipeline.model.errors import SignError
from pipeline.system import process

# Numbers of public key algorithms (RFC 4880, 9.1), by their names in recipes/package.toml.
_ALGORITHMS = {"rsa": "1"}

# gpg never asks for a passphrase: the user unlocks the key in gpg-agent beforehand.
_NO_PROMPT = ("--batch", "--pinentry-mode", "error")


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: its fingerprint (40 hex digits), its owner, its armored public key.

    With a ``!`` after the fingerprint, gpg uses no subkey of it: EL7 cannot verify with those.
    ``digest`` is the digest algorithm of its signatures. ``folder`` is temporary: it holds an rpm
    database with this key only, and is the home folder of rpm's programs, so that they do not read
    the user's macros.
    """

    fingerprint: str
    owner: str
    public: str
    digest: str
    folder: Path

    def sign_file(self, file: Path) -> None:
        """Write a detached, armored signature beside a file; its name ends in ``.asc``."""
        output = file.with_name(f"{file.name}.asc")
        process.read(
            [
                *("gpg", *_NO_PROMPT, "--yes", "--armor", "--digest-algo", self.digest),
                *("--local-user", f"{self.fingerprint}!", "--output", output),
                *("--detach-sign", "--", file),
            ],
            error=SignError(f"gpg cannot sign with {self.fingerprint}", hint=self._hint),
            env=environment(),
        )

    def sign_rpm(self, rpm: Path) -> None:
        """Replace the signatures in an RPM file. Raises SignError with rpmsign's last lines."""
        macros = {
            "__gpg": shutil.which("gpg") or "gpg",  # Debian's rpmsign has another default
            "_gpg_name": f"{self.fingerprint}!",
            "_gpg_digest_algo": self.digest,
            "_gpg_sign_cmd_extra_args": " ".join(_NO_PROMPT),
        }
        options = [part for name, text in macros.items() for part in ("--define", f"{name} {text}")]
        process.read(
            ["rpmsign", *options, "--addsign", rpm],
            error=SignError(f"{rpm.name} could not be signed", hint=self._hint),
            env={**environment(), "HOME": str(self.folder)},
        )

    def complaint(self, rpm: Path) -> str:
        """The message of rpmkeys about a package that is altered or not signed with this key.

        Empty if the signature verifies.
        """
        # Without the level, a package with no signature at all passes.
        options = ["--define", "_pkgverify_level all", "--checksig", "--verbose"]
        code, stdout, stderr = process.attempt(
            ["rpmkeys", "--dbpath", self.folder / "db", *options, rpm],
            env={"HOME": str(self.folder)},
        )
        if code == 0:
            return ""
        lines = [line.strip() for line in stdout.splitlines()]
        bad = [line for line in lines if ": BAD" in line or line.endswith("NOKEY")]
        if not bad and not any("key ID" in line for line in lines):
            bad = ["not signed"]
        return "\n".join(bad) or stderr.strip() or stdout.strip()

    @property
    def _hint(self) -> str:
        command = "gpg --armor --detach-sign --local-user"
        return f"unlock it in gpg-agent: {command} {self.fingerprint} --output - /dev/null"


def environment() -> dict[str, str]:
    """The variables that gpg gets from the user; GNUPGHOME is always set, as HOME may differ."""
    variables = {name: os.environ[name] for name in ("GNUPGHOME", "GPG_TTY") if name in os.environ}
    return {"GNUPGHOME": str(Path("~/.gnupg").expanduser()), **variables}


def find(name: str, signing: Signing, folder: Path) -> Key:
    """The only secret key that gpg finds for an ID, a fingerprint or an address.

    ``folder`` is for the key's rpm database. Raises SignError if there is no such key or more than
    one, if a dist cannot verify with it, and if it is locked: it signs its own public key.
    """
    if not name.strip() or name.startswith("-"):
        raise SignError("no key is named", hint="gpg --list-secret-keys, then --key FINGERPRINT")
    code, listing, stderr = process.attempt(
        ["gpg", "--batch", "--with-colons", "--list-secret-keys", "--", name], env=environment()
    )
    rows = [line.split(":") for line in listing.splitlines()]
    keys = [row for row in rows if row[0] == "sec"]
    if code != 0 or len(keys) != 1:
        raise SignError(
            f"--key {name} names {len(keys)} secret keys",
            expected="one",
            detail="\n".join([row[4] for row in keys] or stderr.splitlines()[-2:]),
            hint="gpg --list-secret-keys",
        )
    _check(name, keys[0], signing)
    fingerprint = next(row[9] for row in rows if row[0] == "fpr")
    owner = next((row[9] for row in rows if row[0] == "uid"), "")
    public = process.read(
        ["gpg", "--batch", "--armor", "--export", fingerprint],
        error=SignError(f"gpg cannot export the public key {fingerprint}"),
        env=environment(),
    )
    key = Key(fingerprint, owner, public, signing.digest, folder)
    file = folder / "key.asc"
    file.write_text(public, encoding="utf-8")
    key.sign_file(file)
    process.read(
        ["rpmkeys", "--dbpath", folder / "db", "--import", file],
        error=SignError(f"rpm cannot read the key {fingerprint}"),
        env={"HOME": str(folder)},
    )
    return key


def _check(name: str, row: list[str], signing: Signing) -> None:
    """Refuse a key that has expired, or that the rpm of some dist cannot verify with."""
    validity, bits, algorithm, capabilities = row[1], int(row[2]), row[3], row[11]
    checks = [
        (validity not in "er", "a valid key", "expired or revoked"),
        (algorithm == _ALGORITHMS[signing.algorithm], signing.algorithm, "another algorithm"),
        (bits >= signing.bits, f"{signing.bits} bits or more", f"{bits} bits"),
        ("s" in capabilities, "a primary key that signs", "one that does not"),
    ]
    for passed, expected, got in checks:
        if not passed:
            raise SignError(
                f"not every dist can verify signatures of the key {name}",
                expected=expected,
                got=got,
                hint=f"gpg --quick-generate-key 'NAME <ADDRESS>' {signing.algorithm}4096 sign",
            )
