"""Tasks about releases: pin one, and raise the number of one."""

from invoke.context import Context

from cli.command import FLAGS, ROOT, command, number
from pipeline.model import Options


@command(
    json=True,
    help={
        "version": "the release to pin",
        "line": "pin the newest release of a line, such as 2 or v2",
        "list": "show which releases are newer than what is pinned",
        "source": "git repository or upstream's tarball to take the release from",
        "accept": "what may change: a comma list of soname, files, licence, cmake, options, "
        "libraries, source, tag",
        "draft": "a recipe to begin with, instead of the nearest release's",
        "released": "time of the tagged commit, where the source has none",
        "dry-run": "show the plan, and write nothing",
        "force": "write the recipe of a pinned release again",
        "offline": FLAGS["offline"],
        "jobs": FLAGS["jobs"],
    },
)
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
    jobs: str = "",
) -> object:
    """Pin a new release: recipe, manifests, README, CHANGELOG, once every package is tried."""
    from benchmarks import training
    from pipeline.bump import pin, upstream_tags
    from pipeline.bump.request import Request

    if list:
        return upstream_tags.show(ROOT, source)
    request = Request(
        *(version, line, source, draft, released, accept),
        force=force,
        dry_run=dry_run,
        options=Options(offline, number("jobs", jobs)),
        train=training.train,
    )
    return pin.run(ROOT, request)


@command(
    help={
        "version": "a pinned release (default: the newest)",
        "slug": "make the patch, and call it NNNN-SLUG.patch",
        "why": "what happens without it, in a sentence",
        "upstream": "what upstream says of it, or where it is reported",
        "drop-when": "when it is no longer needed",
        "test": "the trial that fails without it, such as `aligned` or `conformance: zero-size`",
        "offline": FLAGS["offline"],
    }
)
def edit(
    c: Context,
    version: str = "",
    slug: str = "",
    why: str = "",
    upstream: str = "",
    drop_when: str = "",
    test: str = "",
    offline: bool = False,
) -> None:
    """Lay out a release's patched tree to be changed, and then make a patch of the changes."""
    from pipeline.bump import edit

    request = edit.Request(version, slug, why, upstream, drop_when, test, Options(offline))
    edit.run(ROOT, request)


@command(
    help={
        "version": "a pinned release",
        "release": "its next release number",
        "reason": "what the package's changelog says of it",
        "source": FLAGS["source"],
        "offline": FLAGS["offline"],
        "jobs": FLAGS["jobs"],
    }
)
def release(
    c: Context,
    version: str = "",
    release: str = "",
    reason: str = "",
    source: str = "",
    offline: bool = False,
    jobs: str = "",
) -> None:
    """Raise the release number of a pinned release, once every package is tried."""
    from pipeline.bump import pin
    from pipeline.bump.request import Request

    request = Request(
        version,
        source=source,
        number=number("release", release),
        reason=reason,
        options=Options(offline, number("jobs", jobs)),
    )
    pin.raise_number(ROOT, request)


@command(
    help={
        "version": "a pinned release (default: the newest)",
        "source": FLAGS["source"],
        "offline": FLAGS["offline"],
    }
)
def profile(c: Context, version: str = "", source: str = "", offline: bool = False) -> None:
    """Make the profile that a release's library is optimised for, from real programs."""
    from benchmarks import training
    from pipeline.bump import profile

    profile.run(ROOT, version, source, Options(offline), training.train)
