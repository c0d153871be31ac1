"""Doors to releases: one that is pinned, and one whose package is made anew."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from doors.guard import ROOT, WHICH, door


@task(
    help={
        "version": "the release to pin",
        "line": "pin the newest release of a line, such as v2",
        "list": "show which releases are newer than what is pinned",
        "source": "git repository or upstream's tarball to take the release from",
        "accept": "what may change: a comma list of soname, files, licence, cmake, libraries, "
        "source, tag",
        "draft": "a recipe to begin with, instead of the nearest release's",
        "released": "time of the tagged commit, where no source tells it",
        "dry-run": "show the plan, and touch nothing",
        "force": "write the recipe of a pinned release anew",
        "offline": WHICH["offline"],
        "jobs": WHICH["jobs"],
    }
)
@door
def bump(
    c: Context,
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
        errand.show(ROOT, source)
        return
    errand.pin_release(
        ROOT,
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


@task(
    help={
        "version": "a pinned release",
        "release": "its next release number",
        "reason": "what the package's changelog says of it",
        "source": WHICH["source"],
        "offline": WHICH["offline"],
        "jobs": WHICH["jobs"],
    }
)
@door
def release(
    c: Context,
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
    errand.raise_release(ROOT, version, release, reason, **how)
