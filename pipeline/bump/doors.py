"""What `invoke bump` and `invoke release` are asked with; it imports nothing that takes time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

ACCEPT = "what may change: a comma list of soname, files, licence, cmake, libraries, source, tag"
JOBS = "packages that are made at once (default: as many as there are cores)"
OFFLINE = "use the cache and never the network"

BUMP = {
    "version": "the release to pin",
    "line": "pin the newest release of a line, such as v2",
    "list": "show which releases are newer than what is pinned",
    "source": "git repository or upstream's tarball to take the release from",
    "accept": ACCEPT,
    "draft": "a recipe to begin with, instead of the nearest release's",
    "released": "time of the tagged commit, where no source tells it",
    "dry-run": "show the plan, and touch nothing",
    "force": "write the recipe of a pinned release anew",
    "offline": OFFLINE,
    "jobs": JOBS,
}

RELEASE = {
    "version": "a pinned release",
    "release": "its next release number",
    "reason": "what the package's changelog says of it",
    "source": "tarball, folder, git repository or URL to take the release from",
    "offline": OFFLINE,
    "jobs": JOBS,
}


def bump(root: Path) -> Callable[..., None]:
    """The door to a new release, for the checkout at ``root``."""

    def bump(
        c: object,
        version: str = "",
        line: str = "",
        list: bool = False,
        source: str = "",
        accept: str = "",
        draft: str = "",
        released: str = "",
        dry_run: bool = False,
        force: bool = False,
        offline: bool = False,
        jobs: int = 0,
    ) -> None:
        """Pin a new release: recipe, manifests, texts, tried as a whole; or nothing."""
        from pipeline.bump import errand

        if list:
            errand.show(root, source)
            return
        errand.pin_release(
            root,
            version,
            line,
            source=source,
            accept=accept,
            written=draft,
            released=released,
            rehearse=dry_run,
            force=force,
            offline=offline,
            jobs=jobs,
        )

    return bump


def release(root: Path) -> Callable[..., None]:
    """The door to a higher release number, for the checkout at ``root``."""

    def release(
        c: object,
        version: str = "",
        release: int = 0,
        reason: str = "",
        source: str = "",
        offline: bool = False,
        jobs: int = 0,
    ) -> None:
        """Raise the release number of a pinned release, with a reason; all of it, or nothing."""
        from pipeline.bump import errand

        how = {"source": source, "offline": offline, "jobs": jobs}
        errand.raise_release(root, version, release, reason, **how)

    return release
