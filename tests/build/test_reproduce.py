"""The same input gives the same bytes: built twice, the second time in another world."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import build, recipes, request, verify, workspace
from pipeline.report import Report
from tests.build.conftest import ARCH, EVERY, MACHINES, NEWEST, ROOT, SEED, Package, Which, untested
from tests.build.elsewhere import NOBODY, Elsewhere

# What is tried each time; `nox -s reproduce -- --full` tries all.
SAMPLE = [Which("2.0.9", "el7"), Which(NEWEST, "el10", "aarch64"), Which(SEED, "el8")]
SOURCES = [Which("2.0.9", "el8")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A sample of packages, or with ``--full`` each release on each machine."""
    full = metafunc.config.getoption("--full")
    every = [Which(version, *on) for version in recipes.versions(ROOT) for on in MACHINES]
    kinds = {
        "which": [*every, *(w for w in EVERY if w.flavor == "secure")] if full else SAMPLE,
        "source": [which for which in every if which.arch == ARCH] if full else SOURCES,
    }
    for name, those in kinds.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, those, ids="-".join)


@pytest.fixture
def elsewhere(as_root: list[str]) -> Iterator[Elsewhere]:
    """Another world, ready to build in."""
    # Not below pytest's own folder, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as room:
        Path(room).chmod(0o755)
        made = Elsewhere(Path(room), as_root)
        if made.clock is None:
            untested("what is built under another clock", "no libfaketime on this host")
        made.furnish(workspace.locate(ROOT).cache)
        yield made


def difference(expected: Path, got: Path, room: Path) -> str:
    """Which file differs, and why; nothing where two packages are the same but for signatures."""
    if verify.signed(expected) == verify.signed(got):
        return ""
    room.mkdir()
    found = "\n".join(verify.differences(expected, got, room))
    try:
        told = subprocess.run(
            ["diffoscope", "--no-progress", "--max-report-size", "20000", str(expected), str(got)],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
    except FileNotFoundError:
        told = "for all of it: apt-get install diffoscope"
    return f"{found}\n{told}"


def test_it_is_another_world(elsewhere: Elsewhere, checkout: Path) -> None:
    """What the builds below are run in differs indeed, also for what a program starts."""
    there = elsewhere.take(checkout)
    asked = "date +%Y; nproc; umask; date +%Z; id -u; pwd"
    python = f"import subprocess; subprocess.run(['sh', '-c', {asked!r}], env={{'TZ': 'UTC'}})"

    told = elsewhere.run(there, "sh", "-c", asked).split()
    # As our pipeline does it, with an environment that tells nothing of the clock.
    below = elsewhere.run(there, sys.executable, "-c", python).split()
    clock = elsewhere.run(there, sys.executable, "-c", "import time; print(int(time.time()))")

    year = str(datetime.fromtimestamp(int(clock), UTC).year)
    assert datetime.now(UTC).year + 3 < int(year)
    user = str(os.geteuid()) if elsewhere.as_root else NOBODY
    assert [year, "1", "0077", "+14", user, str(there)] == told
    assert [year, "1", "0077", "UTC", user, str(there)] == below


def test_a_package_is_the_same(
    package: Package, checkout: Path, elsewhere: Elsewhere, tmp_path: Path, which: Which
) -> None:
    """The RPM, byte for byte."""
    first = package(*which)
    there = elsewhere.take(checkout)
    names = ("version", "dist", "arch", "flavor")
    options = [f"--{name}={value}" for name, value in zip(names, which, strict=True)]

    # Up to rpmbuild: the check tries programs on mimalloc, which libfaketime calls before it can.
    told = elsewhere.run(there, "invoke", "package", "--offline", *options)

    assert re.search(r"compile +[0-9.]+ s", told)
    second = Path(told.splitlines()[-1].strip()) / "rpms" / first.rpm.name
    assert "" == difference(first.rpm, second, tmp_path / "difference")


def test_a_source_package_is_the_same(
    package: Package, checkout: Path, elsewhere: Elsewhere, tmp_path: Path, source: Which
) -> None:
    """The source RPM, byte for byte."""
    package(*source)
    first = build.source(request.plan(ROOT, *source), workspace.locate(ROOT), Report())
    there = elsewhere.take(checkout)
    options = [f"--version={source.version}", f"--dist={source.dist}"]

    elsewhere.run(there, "invoke", "srpm", "--offline", *options)

    second = there / first.relative_to(ROOT)
    assert "" == difference(first, second, tmp_path / "difference")


def test_what_differs_is_shown(package: Package, tmp_path: Path) -> None:
    """Two packages that do differ: which file of them, and what in it."""
    first, second = (package(NEWEST, dist).rpm for dist in ("el8", "el9"))

    told = difference(first, second, tmp_path / "difference")

    assert "libmimalloc.so.3.4: expected sha256" in told
    assert "GLIBC_2.34" in told
    assert "mimalloc.h" not in told
