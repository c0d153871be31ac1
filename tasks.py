"""The doors for `invoke`: each parses, calls once, prints. What happens behind is in pipeline/."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from pipeline.bump import doors as bumping
from pipeline.errors import Interrupted, PackagingError

ROOT = Path(__file__).resolve().parent

WHICH = {
    "version": "mimalloc release, a comma list, or all (default: see recipes/package.toml)",
    "dist": "dist such as el7, a comma list, or all (default: see recipes/package.toml)",
    "arch": "architecture, a comma list, or all (default: this host's)",
    "flavor": "plain (default) or secure, a comma list, or all",
    "toolchain": "zig (default) or native, the host's own compiler",
    "source": "tarball, folder, git repository or URL to take the release from",
    "jobs": "packages that are made at once (default: as many as there are cores)",
    "offline": "use the cache and never the network",
}


# Which of them name a package.
PACKAGE = ("version", "dist", "arch", "flavor")


def door(body: Callable[..., None]) -> Callable[..., None]:
    """Print what a user can cause as a message with its exit code, never as a traceback."""

    @functools.wraps(body)
    def guarded(*args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # What nohup has set to be ignored stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _terminated)
        try:
            body(*args, **options)
        except PackagingError as problem:
            raise Exit(str(problem), problem.exit_code) from None
        except KeyboardInterrupt:
            ended = Interrupted("nothing half-made was kept", hint="the same command goes on")
            raise Exit(str(ended), ended.exit_code) from None
        except BrokenPipeError:
            # Whoever read our output has gone; so do we, as if by SIGPIPE, with nothing to flush.
            sys.stderr.close()
            raise Exit(code=128 + signal.SIGPIPE) from None

    return guarded


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _making(name: str, purpose: str) -> Task[Any]:
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
    from pipeline import build, workspace
    from pipeline.report import Report

    build.clean(workspace.locate(ROOT), Report(), everything=everything)


namespace = Collection(
    *(manifest, smoke, verify, sign, repo),
    *(dropin, run, status, compare, list_, doctor, clean),
)
namespace.add_task(_making("build", BUILD), default=True)
namespace.add_task(_making("srpm", SRPM))
namespace.add_task(Task(door(bumping.bump(ROOT)), help=bumping.BUMP))
namespace.add_task(Task(door(bumping.release(ROOT)), help=bumping.RELEASE))
for _name, _purpose in PURPOSES.items():
    namespace.add_task(_making(_name, _purpose))
