"""The signing key: the one that is named, and that the rpm of every dist can import and use."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.model import Signing
from pipeline.model.errors import SignError
from pipeline.system import process

# Numbers of public key algorithms (RFC 4880, 9.1), by their names in recipes/package.toml.
_ALGORITHMS = {"rsa": "1"}

# Digests that Enterprise Linux 9 and later refuse in a key, by their numbers (RFC 4880, 9.4).
_WEAK = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}

_FINGERPRINT = re.compile(r"(0x)?([0-9A-Fa-f]{40}|[0-9A-Fa-f]{16})")
_ADDRESS = re.compile(r"[^\s<>@-][^\s<>@]*@[^\s<>@]+")

# Packages that one rpmkeys verifies. Its exit code is the number of bad ones: 256 would be 0.
_AT_ONCE = 200

# A key that ends within this time is warned of.
_SOON = timedelta(days=90)

# gpg never asks for a passphrase: the user unlocks the key in gpg-agent beforehand.
_NO_PROMPT = ("--batch", "--pinentry-mode", "error")

# What is served of a key: the primary key, by the `!`, with its valid names and the newest
# signature of each. What others add to it in a keyring changes nothing.
_EXPORT = ("--export-options", "export-minimal", "--export-filter", "keep-uid=revoked -f")


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its fingerprint (40 hex digits), its owner, its armored public key as it is served.

    With a ``!`` after the fingerprint, gpg uses no subkey of it: EL7 cannot verify with those.
    ``digest`` is the digest algorithm of its signatures. ``folder`` is temporary: it holds an rpm
    database with this key only, and is the home folder of rpm's programs, so that they do not read
    the user's macros. ``expires`` is the time when the key ends, if it does.
    """

    fingerprint: str
    owner: str
    public: str
    digest: str
    folder: Path
    expires: datetime | None = None

    def warning(self, now: datetime) -> str:
        """A line about a key that ends soon: rpm and dnf refuse what it signs from then on."""
        if self.expires is None or self.expires - now > _SOON:
            return ""
        return (
            f"the key ends on {self.expires:%F}: replace it in time, as hosts do not see that it "
            "is extended: docs/signing-and-serving.md#the-life-of-a-key"
        )

    def sign_file(self, file: Path) -> None:
        """Write a detached, armored signature beside a file; its name ends in ``.asc``."""
        options = ["--yes", "--armor", "--digest-algo", self.digest]
        options += ["--local-user", f"{self.fingerprint}!", "--output", f"{file}.asc"]
        process.read(
            ["gpg", *_NO_PROMPT, *options, "--detach-sign", "--", file],
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

    def has_signed(self, file: Path) -> bool:
        """Whether the detached signature beside a file is a valid one of this key."""
        options = ["--batch", "--no-auto-key-retrieve", "--trust-model", "always"]
        code, status, _ = process.attempt(
            ["gpg", *options, "--status-fd", "1", "--verify", "--", f"{file}.asc", file],
            env=environment(),
        )
        rows = [line.split(" ")[1:3] for line in status.splitlines()]
        is_good = any(row[:1] == ["GOODSIG"] for row in rows)  # it has not ended
        return code == 0 and is_good and ["VALIDSIG", self.fingerprint] in rows

    def verified(self, rpms: Sequence[Path]) -> frozenset[Path]:
        """Those whose signature verifies, but for some beside one that does not: ask for each.

        Of 1000 packages, to start rpmkeys for each takes ten times as long as to verify them.
        """
        parts = [rpms[start : start + _AT_ONCE] for start in range(0, len(rpms), _AT_ONCE)]
        return frozenset(rpm for part in parts if self._check(*part)[0] == 0 for rpm in part)

    def complaint(self, rpm: Path) -> str:
        """The message of rpmkeys about a package that is altered or not signed with this key.

        Empty if the signature verifies.
        """
        code, stdout, stderr = self._check("--verbose", rpm)
        if code == 0:
            return ""
        lines = [line.strip() for line in stdout.splitlines()]
        bad = [line for line in lines if ": BAD" in line or line.endswith("NOKEY")]
        if not bad and not any("key ID" in line for line in lines):
            bad = ["not signed"]
        return "\n".join(bad) or stderr.strip() or stdout.strip()

    def _check(self, *arguments: str | Path) -> tuple[int, str, str]:
        # Without the level, a package with no signature at all passes.
        options = ["--define", "_pkgverify_level all", "--checksig"]
        return process.attempt(
            ["rpmkeys", "--dbpath", self.folder / "db", *options, *arguments],
            env={"HOME": str(self.folder)},
        )

    @property
    def _hint(self) -> str:
        command = "gpg --armor --detach-sign --local-user"
        return f"unlock it in gpg-agent: {command} {self.fingerprint} --output - /dev/null"


def environment() -> dict[str, str]:
    """The variables that gpg gets from the user; GNUPGHOME is always set, as HOME may differ."""
    variables = {name: os.environ[name] for name in ("GNUPGHOME", "GPG_TTY") if name in os.environ}
    return {"GNUPGHOME": str(Path("~/.gnupg").expanduser()), **variables}


def find_key(name: str, signing: Signing, folder: Path, *, secret: bool = True) -> Key:
    """The only secret key of a whole address, a fingerprint or a long ID.

    Without ``secret``, a public key that only verifies. ``folder`` is for the key's rpm database.
    Raises SignError if there is no such key or more than one, if a dist cannot import it or verify
    with it, and if it is locked: it signs its own public key.
    """
    kind = "secret" if secret else "public"
    code, listing, stderr = process.attempt(
        ["gpg", "--batch", "--with-colons", f"--list-{kind}-keys", "--", _query(name)],
        env=environment(),
    )
    rows = [line.split(":") for line in listing.splitlines()]
    keys = [row for row in rows if row[0] in ("sec", "pub")]
    if code != 0 or len(keys) != 1:
        raise SignError(
            f"{name} names {len(keys)} {kind} keys",
            expected="one",
            detail="\n".join([row[4] for row in keys] or stderr.splitlines()[-2:]),
            hint=f"gpg --list-{kind}-keys, then its fingerprint",
        )
    _check(name, keys[0], signing)
    fingerprint = next(row[9] for row in rows if row[0] == "fpr")
    owner = next((row[9] for row in rows if row[0] == "uid" and row[1] != "r"), "")
    public = process.read(
        ["gpg", "--batch", "--armor", *_EXPORT, "--export", f"{fingerprint}!"],
        error=SignError(f"gpg cannot export the public key {fingerprint}"),
        env=environment(),
    )
    expires = datetime.fromtimestamp(int(keys[0][6]), UTC) if keys[0][6] else None
    key = Key(fingerprint, owner, public, signing.digest, folder, expires)
    folder.mkdir(exist_ok=True)
    file = folder / "key.asc"
    file.write_text(public, encoding="utf-8")
    _check_digests(name, fingerprint, file)
    if secret:
        key.sign_file(file)
    process.read(
        ["rpmkeys", "--dbpath", folder / "db", "--import", file],
        error=SignError(f"rpm cannot read the key {fingerprint}"),
        env={"HOME": str(folder)},
    )
    return key


def _query(name: str) -> str:
    """What gpg finds this key by, and no other: by itself, it takes a part of an address, too."""
    if _FINGERPRINT.fullmatch(name):
        return name
    if not _ADDRESS.fullmatch(name):
        raise SignError(
            "--key is no whole name of a key",
            expected="an address such as packager@example.org, or a fingerprint",
            got=name or "nothing",
            hint="gpg --list-secret-keys, then --key FINGERPRINT",
        )
    return f"<{name}>"


def _check_digests(name: str, fingerprint: str, file: Path) -> None:
    """Refuse a key whose statements about itself have digests that Enterprise Linux 9 refuses."""
    listing = process.read(
        ["gpg", "--batch", "--with-colons", "--with-sig-list", "--show-keys", file],
        error=SignError(f"gpg cannot list the signatures of {fingerprint}"),
        env=environment(),
    )
    rows = [line.split(":") for line in listing.splitlines() if line.startswith("sig:")]
    if weak := sorted({_WEAK[row[15]] for row in rows if row[15] in _WEAK}):
        raise SignError(
            f"not every dist can import the key {name}",
            expected="a key whose signatures of itself have SHA-256 or better",
            got=", ".join(weak),
            hint=f"gpg --cert-digest-algo SHA256 --quick-set-expire {fingerprint} 2y signs it anew",
        )


def _check(name: str, row: list[str], signing: Signing) -> None:
    """Refuse a key that has ended, or that the rpm of some dist cannot verify with."""
    validity, bits, algorithm, capabilities, token = row[1], int(row[2]), row[3], row[11], row[14]
    faults = {
        "expired": validity == "e",
        "revoked": validity == "r",
        "disabled": "D" in capabilities,
        "another algorithm": algorithm != _ALGORITHMS[signing.algorithm],
        f"{bits} bits": bits < signing.bits,
        "a primary key that does not sign": "s" not in capabilities,
        "a primary key whose secret is elsewhere": token == "#",
    }
    if got := [fault for fault, present in faults.items() if present]:
        new = f"gpg --quick-generate-key 'NAME <ADDRESS>' {signing.algorithm}4096 sign"
        raise SignError(
            f"not every dist can verify signatures of the key {name}",
            expected=f"a valid key that signs: {signing.algorithm}, {signing.bits} bits or more",
            got=", ".join(got),
            hint=f"gpg --quick-set-expire {row[4]} 2y" if got == ["expired"] else new,
        )
