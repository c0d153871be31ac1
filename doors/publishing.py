"""Doors to what others get: signatures, and repositories."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from doors.guard import ROOT, door


@task(help={"key": "ID, fingerprint or address of a secret key that gpg knows"})
@door
def sign(c: Context, key: str) -> None:
    """Sign every finished package."""
    from pipeline.publish import errand

    errand.sign(ROOT, key)


@task(
    help={
        "key": "the key that the packages are signed with",
        "url": "where the tree will be found, such as https://packages.example.org/mimalloc",
        "keep": "how many versions of each package stay (default: all)",
    }
)
@door
def repo(c: Context, key: str, url: str, keep: str = "") -> None:
    """Lay out signed packages as repositories for dnf and yum, with a page on top."""
    from pipeline.publish import errand

    errand.repo(ROOT, key, url, keep)
