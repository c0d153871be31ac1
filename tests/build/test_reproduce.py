"""The same input gives the same bytes: built twice, the second time in another environment."""

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

from pipeline.artifact import statement
from pipeline.build import make, selection
from pipeline.commands import verify
from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler
from tests.build.conftest import ARCH, MACHINES, NEWEST, ROOT, SEED, Package, Which
from tests.build.other_environment import (
    AHEAD,
    HOST,
    LOCALE,
    OtherEnvironment,
    build_shared,
)
from tests.tally import partly_untested

# A sample; `nox -s reproduce -- --full` builds all packages.
SAMPLE = [Which("2.0.9", "el7"), Which(NEWEST, "el10", "aarch64"), Which(SEED, "el8")]
SOURCES = [Which("2.0.9", "el8")]

# The length of diffoscope's report: lines of each difference, bytes in all.
LINES, BYTES = "40", "30000"

# Run in the other environment, whose checkout has no tests.
REPORT = Path(__file__).with_name("environment_report.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A sample of packages, or with ``--full`` every one of every release."""
    full = metafunc.config.getoption("--full")
    flavors = load.package(ROOT).flavor
    packages = [
        Which(version, *machine, flavor)
        for version in load.versions(ROOT)
        for machine in MACHINES
        for flavor in flavors
    ]
    # All machines share one source package.
    sources = [which for which in packages if which.arch == ARCH]
    parameters = {"which": packages if full else SAMPLE, "source": sources if full else SOURCES}
    for name, values in parameters.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values, ids="-".join)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what all other environments use."""
    folder, plan = tmp_path_factory.mktemp("shared"), selection.plan(ROOT, *SAMPLE[0])
    build_shared(folder, compiler.environment(plan, workspace.locate(ROOT)))
    return folder


@pytest.fixture
def other(tmp_path: Path, shared: Path) -> Iterator[OtherEnvironment]:
    """Another environment to build in, with a notice of what could not be changed in it."""
    environment = OtherEnvironment(tmp_path / "other", shared)
    environment.prepare(workspace.locate(ROOT).cache)
    for what, reason in environment.missing():
        partly_untested(what, reason)
    yield environment
    # pytest removes its folders later, and all packages together leave gigabytes there.
    shutil.rmtree(environment.cache)


def options(which: Which) -> list[str]:
    """The flags that select a package."""
    return [f"--{name}={value}" for name, value in which._asdict().items()]


def difference(expected: Path, got: Path, folder: Path) -> str:
    """The tags and files that differ, and how; empty where two packages are the same.

    Signatures are not compared: the packages in ``dist/`` may be signed.
    """
    if statement.signed_content(expected) == statement.signed_content(got):
        return ""
    folder.mkdir()
    lines = "\n".join(verify.differences(got, expected, folder, 1 << 30))
    if not shutil.which("diffoscope"):
        partly_untested(
            "the report of diffoscope", "not installed; see buildroot/host-programs.txt"
        )
        return lines
    command = ["diffoscope", "--no-progress", "--timeout", "60", "--text", "-"]
    command += ["--max-diff-block-lines", LINES, "--max-text-report-size", BYTES]
    report = subprocess.run(
        [*command, str(expected), str(got)], capture_output=True, text=True, check=False
    )
    return f"{lines}\n\n{report.stdout}{report.stderr}"


def assert_equal(expected: Path, got: Path, folder: Path) -> None:
    """Fails with all that differs between two packages."""
    text = difference(expected, got, folder)
    assert not text, f"{expected.name} differs\n{text}"


def test_everything_differs_in_the_other_environment(
    other: OtherEnvironment, checkout: Path
) -> None:
    """For Python, and for the programs that the pipeline starts."""
    moved = other.move(checkout)

    report = json.loads(other.run(moved, sys.executable, "-c", REPORT.read_text()))

    clocks = report["clocks"] if other.namespaces else report["clocks"][:1]
    assert [True] * len(clocks) == [abs(clock - time.time() - AHEAD) < 300 for clock in clocks]
    if other.namespaces:
        assert [HOST] * 2 == report["host"]
        assert str(os.geteuid()) != other.user
    if other.has_locale:
        assert LOCALE == report["locale"]
    assert [int(other.user)] * 2 == report["user"]
    assert ([1, 1], 0o077, "+1345") == (report["cores"], report["mask"], report["zone"])
    folders = [moved, other.home, other.cache]
    assert [str(folder) for folder in folders] == report["folders"]
    assert ["sha256"] == [folder.name for folder in (other.cache / "v1").iterdir()]


def test_a_package_is_the_same(
    package: Package, checkout: Path, other: OtherEnvironment, tmp_path: Path, which: Which
) -> None:
    """The RPM, byte for byte; and of one package that of its debug information."""
    first = package(*which).rpm
    moved = other.move(checkout)

    output = other.run(moved, "invoke", "build", "--offline", *options(which))

    assert "built in" in output
    assert_equal(first, moved / first.relative_to(ROOT), tmp_path / "difference")
    if which == SAMPLE[0]:
        plan = selection.plan(ROOT, *which)
        first = make.step(plan, workspace.locate(ROOT), Report(), "debuginfo")
        other.run(moved, "invoke", "debuginfo", "--offline", *options(which))
        assert_equal(first, moved / first.relative_to(ROOT), tmp_path / "debug-difference")


def test_a_source_package_is_the_same(
    package: Package, checkout: Path, other: OtherEnvironment, tmp_path: Path, source: Which
) -> None:
    """The source RPM, byte for byte."""
    first = _source(package, source)
    moved = other.move(checkout)

    other.run(moved, "invoke", "srpm", "--offline", *options(source))

    assert_equal(first, moved / first.relative_to(ROOT), tmp_path / "difference")


def _source(package: Package, which: Which) -> Path:
    package(*which)
    return make.step(selection.plan(ROOT, *which), workspace.locate(ROOT), Report(), "srpm")


def test_a_time_that_gets_into_a_package_is_shown(
    package: Package, checkout: Path, other: OtherEnvironment, tmp_path: Path
) -> None:
    """With one digit of the recipes changed, rpmbuild writes its time: tag and time are shown.

    So rpmbuild has the other clock, and the tests above would find it.
    """
    if not other.namespaces:
        pytest.skip("only Python has the other clock")
    first = _source(package, SOURCES[0])
    _change(checkout / "recipes" / "package.toml", 'as_buildtime = "1"', 'as_buildtime = "0"')
    moved = other.move(checkout)
    other.run(moved, "invoke", "srpm", "--offline", *options(SOURCES[0]))

    text = difference(first, moved / first.relative_to(ROOT), tmp_path / "difference")

    moment = selection.plan(ROOT, *SOURCES[0]).recipe.moment
    match = re.search(rf"^BUILDTIME: expected {moment}, got (\d+)$", text, re.MULTILINE)
    assert match, text
    assert abs(int(match[1]) - time.time() - AHEAD) < 300


def test_a_file_that_differs_is_shown(package: Package, checkout: Path, tmp_path: Path) -> None:
    """One letter in a comment of a patch: the path of the file, and the line."""
    which = SOURCES[0]
    first = _source(package, which)
    plan = selection.plan(ROOT, *which)
    change = plan.recipe.patch[0]
    patch = load.patch_file(checkout, plan.recipe, change)
    _change(patch, "Why:", "why:")
    altered = hashlib.sha256(patch.read_bytes()).hexdigest()
    _change(checkout / "recipes" / f"{which.version}.toml", change.sha256, altered)
    changed = selection.plan(checkout, *which)
    second = make.step(changed, workspace.locate(checkout), Report(), "srpm")

    text = difference(first, second, tmp_path / "difference")

    line = f"/{change.file}: expected sha256 {change.sha256}, got sha256 {altered}"
    assert [line] == text.split("\n\n")[0].splitlines()
    if shutil.which("diffoscope"):
        assert re.search(r"-Why: .*\n.*\+why: ", text), text


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert 1 == text.count(old)
    file.write_text(text.replace(old, new))
