"""What signing and serving share: the locked checkout, and the signing key."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.publish import key as keys
from pipeline.publish.key import Key
from pipeline.system import locks, workspace
from pipeline.system.disk import guarded
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace


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
        key = keys.find(name, load.package(root).signing, Path(folder))
        report.line(f"key {key.fingerprint}  {key.owner}".rstrip())
        yield place, key
