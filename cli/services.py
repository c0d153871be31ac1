"""Tasks about programs on the library: a service, any program, those that run, a comparison."""

import sys

from invoke.context import Context
from invoke.exceptions import Exit

from cli.command import FLAGS, PACKAGE, PACKAGE_FLAGS, ROOT, command, number, values
from pipeline.model import Selection

_COMPARISON = "pipeline/compare/settings.toml"


@command(
    help={
        "unit": "the service (default: nginx)",
        "version": f"mimalloc release, or latest (default: {values(PACKAGE, 'version')[0]})",
        "flavor": "plain (default) or secure",
    }
)
def dropin(c: Context, unit: str = "nginx", version: str = "", flavor: str = "") -> None:
    """Print the systemd drop-in that starts a service on the library."""
    from pipeline.service import dropin

    dropin.run(ROOT, unit, Selection(version=version, flavor=flavor))


@command(help=PACKAGE_FLAGS)
def run(c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = "") -> None:
    """Run a program on a built library: `invoke run -- PROGRAM ARGUMENT ...`."""
    from pipeline.service import run

    # invoke joins what follows `--` to one text; here it is as the shell has taken it apart.
    argv = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    raise Exit(code=run.run(ROOT, Selection(version, dist, arch, flavor), argv))


@command(
    help={
        "pid": "a process, and all that it has started",
        "name": "processes of this name (default: nginx, and all that have the library mapped)",
        "json": "for programs",
    }
)
def status(c: Context, pid: str = "", name: str = "", json: bool = False) -> None:
    """Show whether live processes run on mimalloc, on which file, and how large they are."""
    from pipeline.service import status

    raise Exit(code=status.run(ROOT, number("pid", pid), name, json))


@command(
    iterable=["allocator"],
    help={
        "dist": FLAGS["dist"],
        "version": "mimalloc releases, a comma list (default: all that are built)",
        "flavor": "plain or secure (default: all that are built)",
        "nginx": "the nginx to run (default: this host's)",
        "allocator": "NAME=PATH[,VARIABLE=VALUE...], a library or package to compare; repeatable",
        "load": f"a comma list of {', '.join(values(_COMPARISON, 'name'))} (default: all)",
        "rounds": f"how often all take turns (default: {values(_COMPARISON, 'rounds')[0]})",
        "seconds": f"how long each load lasts (default: {values(_COMPARISON, 'seconds')[0]})",
        "output": "the folder for JSON and pictures (default: in the work folder)",
        "sample": "one short round of few allocators: does it work?",
    },
)
def compare(
    c: Context,
    version: str = "",
    dist: str = "",
    flavor: str = "",
    nginx: str = "",
    allocator: list[str] | None = None,
    load: str = "",
    rounds: str = "",
    seconds: str = "",
    output: str = "",
    sample: bool = False,
) -> None:
    """Compare nginx on each allocator under load: listings, JSON, a picture."""
    from pipeline.compare import run
    from pipeline.compare.settings import Request

    packages = Selection(version=version, dist=dist, flavor=flavor)
    numbers = number("rounds", rounds), number("seconds", seconds)
    request = Request(packages, nginx, tuple(allocator or ()), load, *numbers, output, sample)
    run.run(ROOT, request)
