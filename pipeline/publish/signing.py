"""Sign the finished packages; and the session that signing and serving share."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.model.errors import SignError
from pipeline.publish.key import Key, find
from pipeline.system import locks, workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


def run(root: Path, name: str) -> None:
    """Sign every finished package with the key ``name``.

    A package that must not be signed does not stop the others: SignError is raised at the end, and
    also if there is no package.
    """
    report = Report()
    with session(root, name, report) as (place, key):
        files = sorted(place.dist.glob("*/*/*.rpm"))
        if not files:
            raise SignError("there is no package yet", file=place.dist, hint="invoke build")
        refused: list[SignError] = []
        for file in files:
            try:
                result = "signed" if _sign(file, key) else "signed before"
            except SignError as problem:
                refused.append(problem)
                result = "refused"
            report.line(f"  {result:<14}{file.name}")
    if refused:
        reasons = [line for error in refused for line in (error.what, *error.detail.splitlines())]
        raise SignError(
            f"{len(refused)} of {len(files)} packages were not signed",
            detail="\n".join(reasons),
            hint=refused[0].hint,
        )


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
        key = find(name, load.package(root).signing, Path(folder))
        report.line(f"key {key.fingerprint}  {key.owner}".rstrip())
        yield place, key


def _sign(rpm: Path, key: Key) -> bool:
    """Sign a package in ``dist/``; False if it has a valid signature already.

    Raises SignError if the package does not match its statement, and if gpg cannot sign.
    """
    if not statement.matches(rpm):
        raise SignError(
            f"{rpm.name} is not a package that passed the checks",
            expected="the file that its provenance names",
            file=rpm,
            hint="invoke build (or invoke srpm), then sign again",
        )
    if not key.complaint(rpm):
        return False
    with tempfile.TemporaryDirectory(prefix="mimalloc-sign-") as folder:
        copy = Path(folder) / rpm.name
        shutil.copyfile(rpm, copy)
        key.sign_rpm(copy)
        if complaint := key.complaint(copy):
            raise SignError(f"the signature of {rpm.name} does not verify", detail=complaint)
        if statement.signed_content(copy) != statement.signed_content(rpm):
            raise SignError(f"rpmsign has changed more of {rpm.name} than its signature")
        statement.replace_with_signed(rpm, copy, key.fingerprint)
    return True
