"""Doors to programs on the library: a service, any program, those that run, a comparison."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from doors.guard import PACKAGE, ROOT, WHICH, door


@task(help={"unit": "the service (default: nginx)", "version": "release", "flavor": "or secure"})
@door
def dropin(c: Context, unit: str = "nginx", version: str = "", flavor: str = "") -> None:
    """Print the systemd drop-in that starts a service on the library."""
    from pipeline.nginx import dropin as room
    from pipeline.report import Report

    room.run(ROOT, Report(), unit=unit, version=version, flavor=flavor)


@task(help={name: WHICH[name] for name in PACKAGE})
@door
def run(c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = "") -> None:
    """Run a program on a built library: `invoke run -- PROGRAM ARGUMENT ...`."""
    from pipeline import request
    from pipeline.nginx import run as room
    from pipeline.report import Report

    # invoke joins what follows `--` to one text; here it is as the shell has taken it apart.
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    plans = request.plans(ROOT, version=version, dist=dist, arch=arch, flavor=flavor)
    raise Exit(code=room.run(ROOT, plans, words, Report()))


@task(help={"pid": "a process, and all that it has started", "name": "processes of this name"})
@door
def status(c: Context, pid: str = "", name: str = "nginx") -> None:
    """Show whether live processes run on mimalloc, on which file, and how large they are."""
    from pipeline.nginx import status as room
    from pipeline.report import Report

    room.run(ROOT, Report(), pid=room.parsed(pid), name=name)


@task(
    iterable=["allocator"],
    help={
        "dist": WHICH["dist"],
        "version": "mimalloc releases, a comma list (default: all that are built)",
        "flavor": "plain or secure (default: all that are built)",
        "nginx": "the nginx to run (default: this host's)",
        "allocator": "NAME=PATH[,VARIABLE=VALUE...], one more allocator; as often as you like",
        "load": "static, tls, proxied or reloads, a comma list (default: all)",
        "rounds": "how often all take turns (default: see pipeline/nginx/compare.toml)",
        "seconds": "how long each load lasts (default: see there)",
        "output": "the folder for JSON and pictures (default: in the work folder)",
        "sample": "one short round of few allocators: does it work?",
    },
)
@door
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
    from pipeline.nginx import compare as room
    from pipeline.report import Report

    asked = room.Asked(
        nginx, tuple(allocator or ()), version, dist, flavor, load, rounds, seconds, output, sample
    )
    room.run(ROOT, asked, Report())
