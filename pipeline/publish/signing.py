"""The signing key, which the rpm of every dist can verify, and packages signed with it."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.model import Signing
from pipeline.model.errors import SignError
from pipeline.publish import examination
from pipeline.system import locks, process, workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

# Numbers of public key algorithms (RFC 4880, 9.1), by their names in recipes/package.toml.
_ALGORITHMS = {"rsa": "1"}

# Names that nobody can be reached at (RFC 2606), but for `.test`.
_UNREACHABLE = re.compile(
    r"(.*\.)?(invalid|example|localhost|example\.(com|net|org))", re.IGNORECASE
)

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


def find_key(name: str, signing: Signing, folder: Path) -> Key:
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
    faults = {
        "expired or revoked": validity in "er",
        "another algorithm": algorithm != _ALGORITHMS[signing.algorithm],
        f"{bits} bits": bits < signing.bits,
        "a primary key that does not sign": "s" not in capabilities,
    }
    if any(faults.values()):
        raise SignError(
            f"not every dist can verify signatures of the key {name}",
            expected=f"a valid key that signs: {signing.algorithm}, {signing.bits} bits or more",
            got=", ".join(filter(faults.get, faults)),
            hint=f"gpg --quick-generate-key 'NAME <ADDRESS>' {signing.algorithm}4096 sign",
        )


def run(root: Path, name: str) -> None:
    """Sign every finished package with the key ``name``.

    A package that must not be signed does not stop the others: SignError is raised at the end, and
    also if there is no package.
    """
    report = Report()
    with session(root, name, report) as (place, key):
        check_contact(root / "recipes" / "package.toml", load.package(root).packager)
        files = sorted(place.dist.glob("*/*/*.rpm"))
        if not files:
            raise SignError("there is no package yet", file=place.dist, hint="invoke build")
        refused: list[SignError] = []
        for file in files:
            try:
                result = "signed" if _sign(file, key, place) else "signed before"
            except SignError as problem:
                refused.append(problem)
                result = "refused"
            report.line(f"  {result:<14}{file.name}")
    if refused:
        what = f"{len(refused)} of {len(files)} packages were not signed"
        reasons = [f"{error.what}\n{error.detail}".strip() for error in refused]
        raise SignError(what, detail="\n".join(reasons), hint=refused[0].hint)


@contextmanager
def session(root: Path, name: str, report: Report) -> Iterator[tuple[Workspace, Key]]:
    """Lock the checkout for this process alone, and find the key ``name``.

    Interrupted signings are finished first. Raises SignError if the key cannot be used.
    """
    place, waiting = workspace.locate(root), partial(report.line, "waiting for a build to end")
    with (
        guarded(place.dist, place.root, Path(tempfile.gettempdir())),
        locks.locked(place.locks, locks.CHECKOUT, waiting=waiting),
        tempfile.TemporaryDirectory(prefix="mimalloc-key-") as folder,
    ):
        for file in place.dist.glob("*/*/*.rpm"):
            statement.finish_interrupted_signing(file)
        key = find_key(name, load.package(root).signing, Path(folder))
        report.line(f"key {key.fingerprint}  {key.owner}".rstrip())
        yield place, key


def check_contact(file: Path, packager: str) -> None:
    """Refuse a recipe that names no mail address and no URL of the packager.

    Raises SignError.
    """
    hosts = re.findall(r"(?:@|//)([\w.-]+)", packager)
    if not hosts or any(_UNREACHABLE.fullmatch(host.rstrip(".")) for host in hosts):
        raise SignError(
            f"{file.name} names a packager whom nobody can write to",
            expected="NAME <ADDRESS>, or a URL",
            got=packager or "none",
            file=file,
            hint="set packager in recipes/package.toml, then invoke build, and sign again",
        )


def _sign(rpm: Path, key: Key, place: Workspace) -> bool:
    """Sign a package in ``dist/``; False if it has a valid signature already.

    Raises SignError if the package, signed or not, does not match its statement or is not what a
    recipe makes, and if gpg cannot sign.
    """
    if not statement.matches(rpm):
        raise SignError(
            f"{rpm.name} is not a package that passed the checks",
            expected="the file that its provenance names",
            file=rpm,
            hint="invoke build (or invoke srpm), then sign again",
        )
    with tempfile.TemporaryDirectory(prefix="mimalloc-sign-") as folder:
        examination.examine(rpm, place, Path(folder))
        if not key.complaint(rpm):
            return False
        copy = shutil.copyfile(rpm, Path(folder) / rpm.name)
        key.sign_rpm(copy)
        if complaint := key.complaint(copy):
            raise SignError(f"the signature of {rpm.name} does not verify", detail=complaint)
        if statement.signed_content(copy) != statement.signed_content(rpm):
            raise SignError(f"rpmsign has changed more of {rpm.name} than its signature")
        statement.replace_with_signed(rpm, copy, key.fingerprint)
    return True
