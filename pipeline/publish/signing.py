"""Packages are signed: each is what a recipe makes, and names whom users can write to."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.model.errors import SignError
from pipeline.publish.key import Key, find_key
from pipeline.system import locks, workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.temporary import temporary
from pipeline.system.workspace import Workspace

# Names that nobody can be reached at (RFC 2606), but for `.test`.
_UNREACHABLE = re.compile(
    r"(.*\.)?(invalid|example|localhost|example\.(com|net|org))", re.IGNORECASE
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
        temporary("key") as folder,
    ):
        for file in place.dist.glob("*/*/*.rpm"):
            statement.finish_interrupted_signing(file)
        key = find_key(name, load.package(root).signing, folder)
        report.line(f"key {key.fingerprint}  {key.owner}".rstrip())
        if warning := key.warning(datetime.now(UTC)):
            report.line(warning)
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
    # It loads the disassembler, which serving packages does not need.
    from pipeline.publish import examination

    with temporary("sign") as folder:
        examination.examine(rpm, place, folder)
        if not key.complaint(rpm):
            return False
        replace_signature(rpm, key, folder)
    return True


def replace_signature(rpm: Path, key: Key, scratch: Path) -> None:
    """Sign a package, in place of the signature that it may have, and change its statement.

    Raises SignError if gpg cannot sign, or if anything but the signature would change.
    """
    copy = shutil.copyfile(rpm, scratch / rpm.name)
    key.sign_rpm(copy)
    if complaint := key.complaint(copy):
        raise SignError(f"the signature of {rpm.name} does not verify", detail=complaint)
    if statement.signed_content(copy) != statement.signed_content(rpm):
        raise SignError(f"rpmsign has changed more of {rpm.name} than its signature")
    statement.replace_with_signed(rpm, copy, key.fingerprint)
