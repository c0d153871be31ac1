"""The same input gives the same bytes: built twice, the second time in another world."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.artifact import signed_content
from pipeline.build import make, selection
from pipeline.commands import verify
from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler
from tests.build.conftest import ARCH, MACHINES, NEWEST, ROOT, SEED, Package, Which, partly_untested
from tests.build.elsewhere import AHEAD, HOST, LOCALE, Elsewhere, equip

# What is tried each time; `nox -s reproduce -- --full` tries all that there is.
SAMPLE = [Which("2.0.9", "el7"), Which(NEWEST, "el10", "aarch64"), Which(SEED, "el8")]
SOURCES = [Which("2.0.9", "el8")]

# How much of diffoscope's report is shown: lines of each difference, bytes of all.
LINES, BYTES = "40", "30000"

# Run in the other world, where the tests are not.
WITNESS = Path(__file__).with_name("witness.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A sample of packages, or with ``--full`` every one of every release."""
    full = metafunc.config.getoption("--full")
    flavors = load.package(ROOT).flavor
    every = [
        Which(version, *machine, flavor)
        for version in load.versions(ROOT)
        for machine in MACHINES
        for flavor in flavors
    ]
    # One source package is that of all machines.
    sources = [which for which in every if which.arch == ARCH]
    kinds = {"which": every if full else SAMPLE, "source": sources if full else SOURCES}
    for name, those in kinds.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, those, ids="-".join)


@pytest.fixture(scope="session")
def equipment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what all other worlds share."""
    folder = tmp_path_factory.mktemp("equipment")
    equip(folder, compiler.environment(selection.plan(ROOT, *SAMPLE[0]), workspace.locate(ROOT)))
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, equipment: Path) -> Iterator[Elsewhere]:
    """Another world, ready to build in; what is not another there is said loudly."""
    made = Elsewhere(tmp_path / "elsewhere", equipment)
    made.furnish(workspace.locate(ROOT).cache)
    for what, reason in made.lacking():
        partly_untested(what, reason)
    yield made
    # pytest keeps its folders for a while, and all packages together leave gigabytes there.
    shutil.rmtree(made.cache)


def options(which: Which) -> list[str]:
    """The flags that name a package."""
    return [f"--{name}={value}" for name, value in which._asdict().items()]


def difference(expected: Path, got: Path, folder: Path) -> str:
    """Which tags and files differ, and how; nothing where two packages are the same.

    Signatures are left out: whoever publishes adds them to what is in ``dist/``.
    """
    if signed_content.signed(expected) == signed_content.signed(got):
        return ""
    folder.mkdir()
    found = "\n".join(verify.differences(got, expected, folder, 1 << 30))
    if not shutil.which("diffoscope"):
        partly_untested("what diffoscope says", "not here; see buildroot/host-programs.txt")
        return found
    command = ["diffoscope", "--no-progress", "--timeout", "60", "--text", "-"]
    command += ["--max-diff-block-lines", LINES, "--max-text-report-size", BYTES]
    told = subprocess.run(
        [*command, str(expected), str(got)], capture_output=True, text=True, check=False
    )
    return f"{found}\n\n{told.stdout}{told.stderr}"


def hold(expected: Path, got: Path, folder: Path) -> None:
    """Fails with all that differs between two packages."""
    told = difference(expected, got, folder)
    assert not told, f"{expected.name} came out otherwise\n{told}"


def test_it_is_another_world(elsewhere: Elsewhere, checkout: Path) -> None:
    """All that is said to be another there is another, also for what the pipeline starts."""
    there = elsewhere.take(checkout)

    told = json.loads(elsewhere.run(there, sys.executable, "-c", WITNESS.read_text()))

    clocks = told["clocks"] if elsewhere.gate else told["clocks"][:1]
    assert [True] * len(clocks) == [abs(clock - time.time() - AHEAD) < 300 for clock in clocks]
    if elsewhere.gate:
        assert [HOST] * 2 == told["host"]
        assert str(os.geteuid()) != elsewhere.user
    if elsewhere.speaks:
        assert LOCALE == told["locale"]
    assert [int(elsewhere.user)] * 2 == told["user"]
    assert ([1, 1], 0o077, "+1345") == (told["cores"], told["mask"], told["zone"])
    folders = [there, elsewhere.home, elsewhere.cache]
    assert [str(folder) for folder in folders] == told["folders"]
    assert ["sha256"] == [kept.name for kept in (elsewhere.cache / "v1").iterdir()]


def test_a_package_is_the_same(
    package: Package, checkout: Path, elsewhere: Elsewhere, tmp_path: Path, which: Which
) -> None:
    """The RPM, byte for byte."""
    first = package(*which).rpm
    there = elsewhere.take(checkout)

    told = elsewhere.run(there, "invoke", "build", "--offline", *options(which))

    assert "built in" in told
    hold(first, there / first.relative_to(ROOT), tmp_path / "difference")


def test_a_source_package_is_the_same(
    package: Package, checkout: Path, elsewhere: Elsewhere, tmp_path: Path, source: Which
) -> None:
    """The source RPM, byte for byte."""
    first = _source(package, source)
    there = elsewhere.take(checkout)

    elsewhere.run(there, "invoke", "srpm", "--offline", *options(source))

    hold(first, there / first.relative_to(ROOT), tmp_path / "difference")


def _source(package: Package, which: Which) -> Path:
    package(*which)
    return make.source_package(selection.plan(ROOT, *which), workspace.locate(ROOT), Report())


def test_a_clock_that_gets_in_is_named(
    package: Package, checkout: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """One digit of the recipes, and rpmbuild writes its own time: the tag is told, and the time.

    So the clock of rpmbuild is the other one, and the tests above would see it.
    """
    if not elsewhere.gate:
        pytest.skip("only Python is under the other clock")
    first = _source(package, SOURCES[0])
    _change(checkout / "recipes" / "package.toml", 'as_buildtime = "1"', 'as_buildtime = "0"')
    there = elsewhere.take(checkout)
    elsewhere.run(there, "invoke", "srpm", "--offline", *options(SOURCES[0]))

    told = difference(first, there / first.relative_to(ROOT), tmp_path / "difference")

    moment = selection.plan(ROOT, *SOURCES[0]).recipe.moment
    found = re.search(rf"^BUILDTIME: expected {moment}, got (\d+)$", told, re.MULTILINE)
    assert found, told
    assert abs(int(found[1]) - time.time() - AHEAD) < 300


def test_a_file_that_differs_is_named(package: Package, checkout: Path, tmp_path: Path) -> None:
    """One letter in a comment of a patch: the file is told by its path, and the line is shown."""
    which = SOURCES[0]
    first = _source(package, which)
    plan = selection.plan(ROOT, *which)
    (change,) = plan.recipe.patch
    patch = load.patch_file(checkout, plan.recipe, change)
    _change(patch, "Why:", "why:")
    altered = hashlib.sha256(patch.read_bytes()).hexdigest()
    _change(checkout / "recipes" / f"{which.version}.toml", change.sha256, altered)
    second = make.source_package(
        selection.plan(checkout, *which), workspace.locate(checkout), Report()
    )

    told = difference(first, second, tmp_path / "difference")

    line = f"/{change.file}: expected sha256 {change.sha256}, got sha256 {altered}"
    assert [line] == told.split("\n\n")[0].splitlines()
    if shutil.which("diffoscope"):
        assert re.search(r"-Why: .*\n.*\+why: ", told), told


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert 1 == text.count(old)
    file.write_text(text.replace(old, new))
