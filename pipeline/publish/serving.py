"""Serve what is signed: select the packages, lay out the repositories."""

import re
from pathlib import Path

from pipeline.config import load
from pipeline.model.errors import RepositoryError, RequestError
from pipeline.publish import repository, selection
from pipeline.publish.session import alone, keyring
from pipeline.system.report import Report

# It goes into files that package managers read: nothing in it may end a line or a word.
_URL = re.compile(r"(https?|file)://[\w.:/~%+@-]+")


def run(root: Path, name: str, url: str, keep: str) -> None:
    """Serve the finished packages and those that were served before, as signed repositories.

    ``url`` is where the tree will be found; of each package the ``keep`` newest stay, all by
    default. Raises RepositoryError for a package that must not be served.
    """
    address, most = _address(url), _number(keep)
    report, package = Report(), load.package(root)
    with alone(root, report) as place, keyring(root, name, report) as ring:
        tree = repository.served(place)
        inventory = selection.select(place.dist, tree, ring, most)
        if not inventory:
            raise RepositoryError("there is no package yet", file=place.dist, hint="invoke build")
        fresh = repository.make(inventory, place, package, ring, address)
        for (dist, kind), items in inventory.items():
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
