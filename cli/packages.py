"""Tasks about packages: build, check, verify and list them."""

import re
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
    ) -> object:
        from pipeline.commands import build

        selection = Selection(version, dist, arch, flavor, toolchain, source)
        return build.run(ROOT, selection, name, Options(offline, number("jobs", jobs)))

    body.__doc__ = purpose
    return command(name=name, help=FLAGS, json=True)(body)


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


@command(
    positional=["rpm"],
    help={"rpm": "the file to verify", "offline": FLAGS["offline"]},
    json=True,
)
def verify(c: Context, rpm: str, offline: bool = False) -> object:
    """Build a published package again, and compare: identical, or what differs."""
    from pipeline.commands import verify

    return verify.run(ROOT, Path(rpm), offline=offline)


@command(
    name="list",
    help={name: re.sub(r" \(default.*?\)", "", text) for name, text in PACKAGE_FLAGS.items()},
    json=True,
)
def list_(
    c: Context, version: str = "all", dist: str = "all", arch: str = "all", flavor: str = "all"
) -> object:
    """Show recipes by dists, and which packages are built."""
    from pipeline.commands import listing

    return listing.run(ROOT, Selection(version, dist, arch, flavor))


@command(json=True)
def doctor(c: Context) -> object:
    """Show each program that is needed, its version, and what to install; and what takes space."""
    from pipeline.commands import doctor

    return doctor.run(ROOT)


@command(
    help={
        "everything": "also the finished packages, and the cache, which checkouts share",
        "yes": "do not ask before everything is removed",
    }
)
def clean(c: Context, everything: bool = False, yes: bool = False) -> None:
    """Remove the work folder, and what killed runs have left in the folder for temporary files."""
    from pipeline.commands import clean

    clean.run(ROOT, everything=everything, yes=yes)
