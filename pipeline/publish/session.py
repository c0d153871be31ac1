"""The checkout held alone, and the key at hand: what signing and serving both need."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.publish import key as keys
from pipeline.publish import signature
from pipeline.publish.signature import Keyring
from pipeline.system import locks, workspace
from pipeline.system.disk import guarded, suspecting
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


@contextmanager
def alone(root: Path, report: Report) -> Iterator[Workspace]:
    """The workspace, with nobody building in it meanwhile."""
    place = workspace.locate(root)
    waiting = "waiting for a build to end"
    with (
        guarded(),
        locks.alone(place, waiting=lambda: report.line(waiting)),
        suspecting(place.dist, place.root, Path(tempfile.gettempdir())),
    ):
        for file in place.dist.glob("*/*/*.rpm"):
            statement.settle(file)
        yield place


@contextmanager
def keyring(root: Path, name: str, report: Report) -> Iterator[Keyring]:
    """A keyring with the key that is named ``name``, which has signed something. See ``key.find``."""
    key = keys.find(name, load.package(root))
    report.line(f"key {key.fingerprint}  {key.owner}".rstrip())
    with signature.keyring(key) as ring:
        yield ring
