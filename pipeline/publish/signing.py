"""Sign the finished packages."""

import shutil
import tempfile
from pathlib import Path

from pipeline.artifact import signed_content, statement
from pipeline.model.errors import SignError
from pipeline.publish.key import Key
from pipeline.publish.session import session
from pipeline.system.report import Report


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
        if signed_content.read(copy) != signed_content.read(rpm):
            raise SignError(f"rpmsign has changed more of {rpm.name} than its signature")
        statement.replace_with_signed(rpm, copy, key.fingerprint)
    return True
