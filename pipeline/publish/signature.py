"""Signatures in RPM files: put in with rpmsign, and held against a keyring of one key."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifact import statement
from pipeline.artifact.signed_content import signed as content_of
from pipeline.model import Package
from pipeline.model.errors import SignError
from pipeline.publish import key
from pipeline.publish.key import Key
from pipeline.system import process


@dataclass(frozen=True, slots=True)
class Keyring:
    """A scratch database of rpm that holds one public key, and a home without the user's macros."""

    key: Key
    folder: Path

    def complaint(self, rpm: Path) -> str:
        """What rpmkeys says of a package that this key did not sign as it is; nothing if it did."""
        # Without the level, a package with no signature at all passes.
        code, output, complaint = process.attempt(
            [*self._rpmkeys("--define", "_pkgverify_level all"), "--checksig", "--verbose", rpm],
            env=self.environment,
        )
        if code == 0:
            return ""
        lines = [line.strip() for line in output.splitlines()]
        bad = [line for line in lines if ": BAD" in line or line.endswith("NOKEY")]
        if not bad and not any("key ID" in line for line in lines):
            bad = ["not signed"]
        return "\n".join(bad) or complaint.strip() or output.strip()

    @property
    def environment(self) -> dict[str, str]:
        """That of rpm's programs: settings of the user have no say."""
        return {"HOME": str(self.folder)}

    def add(self) -> None:
        """Put the key in. Raises SignError where rpm cannot read it."""
        file = self.folder / "key.asc"
        file.write_text(self.key.public, encoding="utf-8")
        process.read(
            [*self._rpmkeys(), "--import", file],
            error=SignError,
            what=f"rpm cannot read the key {self.key.fingerprint}",
            env=self.environment,
        )

    def _rpmkeys(self, *options: str) -> list[str]:
        return ["rpmkeys", "--dbpath", str(self.folder / "db"), *options]


@contextmanager
def keyring(key: Key) -> Iterator[Keyring]:
    """A keyring with just this key in it, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="mimalloc-keyring-") as folder:
        made = Keyring(key, Path(folder))
        made.add()
        yield made


def sign(rpm: Path, ring: Keyring, package: Package) -> bool:
    """Sign a package in its final place; whether there was anything to do.

    Raises SignError for a file that did not pass the checks as it is, and where gpg cannot sign.
    """
    if not statement.vouches(rpm):
        raise SignError(
            f"{rpm.name} is not a package that passed the checks",
            expected="the file that its provenance names",
            file=rpm,
            hint="invoke build (or invoke srpm), then sign again",
        )
    if not ring.complaint(rpm):
        return False
    with tempfile.TemporaryDirectory(prefix="mimalloc-sign-") as folder:
        copy = Path(folder) / rpm.name
        shutil.copyfile(rpm, copy)
        _add(copy, ring, package)
        if complaint := ring.complaint(copy):
            raise SignError(f"the signature of {rpm.name} does not verify", detail=complaint)
        if content_of(copy) != content_of(rpm):
            raise SignError(f"rpmsign has changed more of {rpm.name} than its signature")
        statement.resign(rpm, copy, ring.key.fingerprint)
    return True


def _add(rpm: Path, ring: Keyring, package: Package) -> None:
    macros = {
        "__gpg": shutil.which("gpg") or "gpg",  # Debian's rpmsign looks elsewhere
        "_gpg_name": ring.key.exact,
        "_gpg_digest_algo": package.signing.digest,
        "_gpg_sign_cmd_extra_args": " ".join(key.QUIET),
    }
    defines = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    code, output, complaint = process.attempt(
        ["rpmsign", *defines, "--addsign", rpm], env={**key.environment(), **ring.environment}
    )
    if code != 0:
        raise SignError(
            f"{rpm.name} could not be signed",
            detail="\n".join((output + complaint).splitlines()[-process.LAST_LINES :]),
            hint=ring.key.hint,
        )
