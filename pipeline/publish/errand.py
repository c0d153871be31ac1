"""What the doors call to publish: sign what is finished, serve what is signed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import locks, recipes, record, workspace
from pipeline.disk import guarded, suspecting
from pipeline.errors import RepositoryError, RequestError, SignError
from pipeline.publish import key as keys
from pipeline.publish import repository, shelf, signature
from pipeline.publish.signature import Keyring
from pipeline.report import Report
from pipeline.workspace import Workspace

# It goes into files that package managers read: nothing in it may end a line or a word.
_URL = re.compile(r"(https?|file)://[\w.:/~%+@-]+")


def sign(root: Path, name: str) -> None:
    """Sign every finished package with the key ``name``, going on after one that must not be.

    Raises SignError in the end where there was one, and where there is nothing to sign.
    """
    report, package = Report(), recipes.package(root)
    with _alone(root, report) as place, _ring(root, name, report) as ring:
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


def repo(root: Path, name: str, url: str, keep: str) -> None:
    """Serve the finished packages and those that were served before, as signed repositories.

    ``url`` is where the tree will be found; of each package the ``keep`` newest stay, all by
    default. Raises RepositoryError for a package that must not be served.
    """
    address, most = _address(url), _number(keep)
    report, package = Report(), recipes.package(root)
    with _alone(root, report) as place, _ring(root, name, report) as ring:
        tree = repository.served(place)
        stock = shelf.stock(place.dist, tree, ring, most)
        if not stock:
            raise RepositoryError("there is no package yet", file=place.dist, hint="invoke build")
        fresh = repository.make(stock, place, package, ring, address)
        for (dist, kind), items in stock.items():
            report.line(f"  {dist:<6}{kind:<11}{len(items):>4} packages, {items[0].version} newest")
        report.line(f"  {'made' if fresh else 'up to date'}: {tree}, to be served at {address}/")


def _address(url: str) -> str:
    if not _URL.fullmatch(url):
        raise RequestError(
            "--url is where the repository will be found",
            expected="an address such as https://packages.example.org/mimalloc",
            got=url or "nothing",
        )
    return url.rstrip("/")


def _number(keep: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}|", keep):
        raise RequestError("--keep is a number of versions", expected="1 or more", got=keep)
    return int(keep or 0)


@contextmanager
def _alone(root: Path, report: Report) -> Iterator[Workspace]:
    """The workspace, with nobody building in it meanwhile."""
    place = workspace.locate(root)
    waiting = "waiting for a build to end"
    with (
        guarded(),
        locks.alone(place, waiting=lambda: report.line(waiting)),
        suspecting(place.dist, place.root, Path(tempfile.gettempdir())),
    ):
        for file in place.dist.glob("*/*/*.rpm"):
            record.settle(file)
        yield place


@contextmanager
def _ring(root: Path, name: str, report: Report) -> Iterator[Keyring]:
    key = keys.find(name, recipes.package(root))
    report.line(f"key {key.fingerprint}  {key.owner}".rstrip())
    with signature.keyring(key) as ring:
        yield ring
