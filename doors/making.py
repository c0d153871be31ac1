"""Doors to packages: made, step by step or as a whole, held to what they should be, looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from doors.guard import PACKAGE, ROOT, WHICH, door


def making(name: str, purpose: str) -> Task[Any]:
    """The door that makes packages as far as ``name``: ``build``, ``srpm``, or a step."""

    def body(
        c: Context,
        version: str = "",
        dist: str = "",
        arch: str = "",
        flavor: str = "",
        toolchain: str = "zig",
        source: str = "",
        offline: bool = False,
        jobs: int = 0,
    ) -> None:
        from pipeline import errand, request

        plans = request.plans(
            ROOT,
            version=version,
            dist=dist,
            arch=arch,
            flavor=flavor,
            toolchain=toolchain,
            source=source,
        )
        errand.make(ROOT, plans, name, offline=offline, jobs=jobs)

    body.__doc__ = purpose
    made: Task[Any] = task(door(body), name=name, help=WHICH)  # type: ignore[assignment]
    return made


BUILD = "Make packages: every step, every check, then the RPM in dist/<dist>/<arch>/."

SRPM = "Make source packages, which mock, COPR and Koji build by themselves."

# The names are those of pipeline.build.STEPS; a unit test holds the two together.
PURPOSES = {
    "fetch": "Fetch and verify the release's source.",
    "unpack": "Unpack it safely, and hold it to its identity.",
    "patch": "Apply our patches.",
    "configure": "Configure with cmake.",
    "compile": "Compile and link.",
    "stage": "Install below a root of our own.",
    "package": "Wrap up the staged files with rpmbuild -bb.",
    "check": "Hold the RPM to its recipe and build root.",
}


@task(help={name: WHICH[name] for name in PACKAGE})
@door
def smoke(c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = "") -> None:
    """Run real programs on the library of a built package."""
    from pipeline import errand, request

    errand.smoke(ROOT, request.plans(ROOT, version=version, dist=dist, arch=arch, flavor=flavor))


@task(help={name: WHICH[name] for name in PACKAGE})
@door
def manifest(
    c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = ""
) -> None:
    """Hold `rpm -qlp` of built packages to their manifests."""
    from pipeline import errand, request

    errand.manifest(ROOT, request.plans(ROOT, version=version, dist=dist, arch=arch, flavor=flavor))


@task(positional=["rpm"], help={"rpm": "the file to verify", "offline": WHICH["offline"]})
@door
def verify(c: Context, rpm: str, offline: bool = False) -> None:
    """Make a published package anew, and compare: identical, or what differs."""
    from pipeline import errand

    errand.verify(ROOT, Path(rpm), offline=offline)


@task(name="list")
@door
def list_(c: Context) -> None:
    """Show recipes by dists, and which packages are built."""
    from pipeline import errand

    errand.show_grid(ROOT)


@task
@door
def doctor(c: Context) -> None:
    """Show each program that is needed, its version, and what to install."""
    from pipeline import errand

    errand.show_host(ROOT)


@task(help={"everything": "also the finished packages and the user's cache of sources"})
@door
def clean(c: Context, everything: bool = False) -> None:
    """Remove the work folder."""
    from pipeline import clean as cleaning
    from pipeline import workspace
    from pipeline.report import Report

    cleaning.run(workspace.locate(ROOT), Report(), everything=everything)
