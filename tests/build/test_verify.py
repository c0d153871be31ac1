"""A published package is made anew: identical, or what differs is named."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import make, selection
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import ARCH, ROOT, Package, invoke_in

Invoke = Callable[..., subprocess.CompletedProcess[str]]


def made_elsewhere(checkout: Path, file: str, old: str, new: str) -> Path:
    """The package of another state of the project."""
    changed = checkout / file
    text = changed.read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    plan = selection.plan(checkout, "3.4.3", "el8", ARCH)
    return make.package(plan, workspace.locate(checkout), Report()).rpm


def test_a_good_package_is_identical(package: Package, tmp_path: Path) -> None:
    """Wherever it has been in between."""
    rpm = Path(shutil.copy(package("3.4.3", "el8").rpm, tmp_path / "downloaded.rpm"))

    done = invoke_in(ROOT, "verify", str(rpm))

    assert 0 == done.returncode, done.stderr
    assert done.stdout.splitlines()[-1].endswith(f"byte for byte: {rpm}")
    assert "compile" in done.stdout


def test_a_source_package_is_verified_too(package: Package) -> None:
    """It says that it is one."""
    plan = package("3.4.3", "el8").plan
    source = make.source_package(plan, workspace.locate(ROOT), Report())

    done = invoke_in(ROOT, "verify", str(source))

    assert 0 == done.returncode, done.stderr
    assert plan.source_name == done.stdout.splitlines()[0]
    assert "compile" not in done.stdout


def test_a_sub_package_is_verified_too(package: Package) -> None:
    """It is of no machine, and whichever it was made with, it is the same."""
    built = package("3.4.3", "el8", "aarch64")
    assert built.plan.subpackage
    beside = built.rpm.with_name(built.plan.subpackage.file_name)

    done = invoke_in(ROOT, "verify", str(beside))

    assert 0 == done.returncode, done.stderr
    assert package("3.4.3", "el8").plan.nevra == done.stdout.splitlines()[0]


def test_another_recipe_is_told_apart_by_its_tags(package: Package, checkout: Path) -> None:
    """What it says, and what ours says."""
    package("3.4.3", "el8")
    vendor = 'vendor = "somebody else"'
    rpm = made_elsewhere(checkout, "recipes/package.toml", 'vendor = "mimalloc-custom"', vendor)

    done = invoke_in(ROOT, "verify", str(rpm))

    assert 28 == done.returncode
    assert "is not what its recipe makes: 1 difference(s)" in done.stderr
    assert "  VENDOR: expected mimalloc-custom, got somebody else" in done.stderr


def test_another_library_is_told_apart_by_its_files(package: Package, checkout: Path) -> None:
    """Every path with another content is named."""
    package("3.4.3", "el8")
    rpm = made_elsewhere(checkout, "recipes/3.4.3.toml", "[cmake]", '[cmake]\nMI_PADDING = "ON"')

    done = invoke_in(ROOT, "verify", str(rpm))

    assert 28 == done.returncode
    folder = "/usr/local/nginx-dep/lib64"
    for path in (f"{folder}/libmimalloc.so.3.4", f"{folder}/mimalloc-3.4/libmimalloc.a"):
        assert f"  {path}: expected sha256 " in done.stderr
    assert "mimalloc.h:" not in done.stderr


@pytest.mark.parametrize("at", [5000, -5000])
def test_an_altered_file_is_no_package(package: Package, tmp_path: Path, at: int) -> None:
    """A flipped bit, in the header or in the payload, ends in an error, and in no traceback."""
    content = bytearray(package("3.4.3", "el8").rpm.read_bytes())
    content[at] ^= 1
    rpm = tmp_path / "altered.rpm"
    rpm.write_bytes(content)

    done = invoke_in(ROOT, "verify", str(rpm))

    assert done.returncode in (2, 28), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    """Neither a text nor nothing at all."""
    text = tmp_path / "text.rpm"
    text.write_text("not an RPM")

    told = [invoke_in(ROOT, "verify", str(file)) for file in (text, tmp_path / "none.rpm")]

    assert [28, 2] == [done.returncode for done in told]
    assert "rpm cannot read text.rpm" in told[0].stderr
    assert "no such package" in told[1].stderr


def test_a_release_that_no_recipe_makes_is_refused(package: Package, checkout: Path) -> None:
    """It was made from another state of the project, and that one can verify it."""
    package("3.4.3", "el8")
    rpm = made_elsewhere(checkout, "recipes/3.4.3.toml", "release = 1", "release = 2")

    done = invoke_in(ROOT, "verify", str(rpm))

    assert 2 == done.returncode
    assert "the recipe of 3.4.3 is at another release" in done.stderr
    assert "expected: 1" in done.stderr
    assert "got:      2" in done.stderr
