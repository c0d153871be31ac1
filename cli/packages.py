"""Tasks about packages: build, check, verify and list them."""

from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from cli.command import FLAGS, PACKAGE_FLAGS, ROOT, command, number
from pipeline.model import Options, Selection

# A unit test holds that the steps are those of pipeline.build.order, which takes time to import.
STEPS = {
    "fetch": "Fetch and verify the release's source.",
    "unpack": "Unpack it safely, and verify its identity.",
    "patch": "Apply our patches.",
    "configure": "Configure with cmake.",
    "compile": "Compile and link.",
    "stage": "Install into a staging folder.",
    "package": "Package the staged files with rpmbuild -bb.",
    "check": "Check the RPM against its recipe and build root.",
}
BUILD_TASKS = {
    "build": "Build packages: every step, every check, then the RPM in dist/<dist>/<arch>/.",
    "srpm": "Build source packages, for mock, COPR and Koji.",
    "debuginfo": "Build packages of debug information, for gdb, perf and elfutils.",
    **STEPS,
}


def build_task(name: str, purpose: str) -> Task[Any]:
    """The task that builds packages up to ``name``: a key of BUILD_TASKS."""

    def body(
        c: Context,
        version: str = "",
        dist: str = "",
        arch: str = "",
        flavor: str = "",
        toolchain: str = "zig",
        source: str = "",
        offline: bool = False,
        jobs: str = "",
    ) -> None:
        from pipeline.commands import build

        selection = Selection(version, dist, arch, flavor, toolchain, source)
        build.run(ROOT, selection, name, Options(offline, number("jobs", jobs)))

    body.__doc__ = purpose
    return command(name=name, help=FLAGS)(body)


@command(help=PACKAGE_FLAGS)
def smoke(c: Context, version: str = "", dist: str = "", arch: str = "", flavor: str = "") -> None:
    """Run real programs on the library of a built package."""
    from pipeline.commands import smoke

    smoke.run(ROOT, Selection(version, dist, arch, flavor))


@command(help={**PACKAGE_FLAGS, "write": "write them instead, of packages up to the package step"})
def manifest(
    c: Context,
    version: str = "",
    dist: str = "",
    arch: str = "",
    flavor: str = "",
    write: bool = False,
) -> None:
    """Compare `rpm -qlp` of built packages with their manifests, or write these."""
    from pipeline.commands import manifest

    manifest.run(ROOT, Selection(version, dist, arch, flavor), write=write)


@command(positional=["rpm"], help={"rpm": "the file to verify", "offline": FLAGS["offline"]})
def verify(c: Context, rpm: str, offline: bool = False) -> None:
    """Build a published package again, and compare: identical, or what differs."""
    from pipeline.commands import verify

    verify.run(ROOT, Path(rpm), offline=offline)


@command(name="list")
def list_(c: Context) -> None:
    """Show recipes by dists, and which packages are built."""
    from pipeline.commands import listing

    listing.run(ROOT)


@command()
def doctor(c: Context) -> None:
    """Show each program that is needed, its version, and what to install."""
    from pipeline.commands import doctor

    doctor.run(ROOT)


@command(help={"everything": "also the finished packages and the user's cache of sources"})
def clean(c: Context, everything: bool = False) -> None:
    """Remove the work folder."""
    from pipeline.commands import clean

    clean.run(ROOT, everything=everything)
