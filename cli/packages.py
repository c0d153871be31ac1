"""Tasks about packages: built, step by step or as a whole, held to what they should be, listed."""

from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from cli.command import FLAGS, PACKAGE_FLAGS, ROOT, command

BUILD = "Make packages: every step, every check, then the RPM in dist/<dist>/<arch>/."

SRPM = "Make source packages, which mock, COPR and Koji build by themselves."

# The names are those of pipeline.build.order.STEPS; a unit test holds the two together.
STEPS = {
    "fetch": "Fetch and verify the release's source.",
    "unpack": "Unpack it safely, and hold it to its identity.",
    "patch": "Apply our patches.",
    "configure": "Configure with cmake.",
    "compile": "Compile and link.",
    "stage": "Install below a root of our own.",
    "package": "Wrap up the staged files with rpmbuild -bb.",
    "check": "Hold the RPM to its recipe and build root.",
}


def build_task(name: str, purpose: str) -> Task[Any]:
    """The task that makes packages as far as ``name``: ``build``, ``srpm``, or a step."""

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
        from pipeline.build.selection import Selection
        from pipeline.commands import build
        from pipeline.model import Options

        selection = Selection(version, dist, arch, flavor, toolchain, source)
        build.run(ROOT, selection, name, Options(offline, jobs))

    body.__doc__ = purpose
    made: Task[Any] = task(command(body), name=name, help=FLAGS)  # type: ignore[assignment]
    return made


@task(help=PACKAGE_FLAGS)
@command
def smoke(c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = "") -> None:
    """Run real programs on the library of a built package."""
    from pipeline.build.selection import Selection
    from pipeline.commands import smoke

    smoke.run(ROOT, Selection(version, dist, arch, flavor))


@task(help=PACKAGE_FLAGS)
@command
def manifest(
    c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = ""
) -> None:
    """Hold `rpm -qlp` of built packages to their manifests."""
    from pipeline.build.selection import Selection
    from pipeline.commands import manifest

    manifest.run(ROOT, Selection(version, dist, arch, flavor))


@task(positional=["rpm"], help={"rpm": "the file to verify", "offline": FLAGS["offline"]})
@command
def verify(c: Context, rpm: str, offline: bool = False) -> None:
    """Make a published package anew, and compare: identical, or what differs."""
    from pipeline.commands import verify

    verify.run(ROOT, Path(rpm), offline=offline)


@task(name="list")
@command
def list_(c: Context) -> None:
    """Show recipes by dists, and which packages are built."""
    from pipeline.commands import listing

    listing.run(ROOT)


@task
@command
def doctor(c: Context) -> None:
    """Show each program that is needed, its version, and what to install."""
    from pipeline.commands import doctor

    doctor.run(ROOT)


@task(help={"everything": "also the finished packages and the user's cache of sources"})
@command
def clean(c: Context, everything: bool = False) -> None:
    """Remove the work folder."""
    from pipeline.commands import clean

    clean.run(ROOT, everything=everything)
