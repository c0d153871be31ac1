"""Sign what is finished."""

from pathlib import Path

from pipeline.config import load
from pipeline.model.errors import SignError
from pipeline.publish import signature
from pipeline.publish.session import alone, keyring
from pipeline.system.report import Report


def run(root: Path, name: str) -> None:
    """Sign every finished package with the key ``name``, going on after one that must not be.

    Raises SignError in the end where there was one, and where there is nothing to sign.
    """
    report, package = Report(), load.package(root)
    with alone(root, report) as place, keyring(root, name, report) as ring:
        files = sorted(place.dist.glob("*/*/*.rpm"))
        if not files:
            raise SignError("there is no package yet", file=place.dist, hint="invoke build")
        refused: list[SignError] = []
        for file in files:
            try:
                done = signature.sign(file, ring, package)
                report.line(f"  {'signed' if done else 'signed before':<14}{file.name}")
            except SignError as problem:
                refused.append(problem)
                report.line(f"  {'refused':<14}{file.name}")
    if refused:
        raise SignError(
            f"{len(refused)} of {len(files)} packages were not signed",
            detail="\n".join("\n".join([each.what, *each.detail.splitlines()]) for each in refused),
            hint=refused[0].hint,
        )
