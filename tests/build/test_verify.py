"""`invoke verify` builds a package again: it is identical, or the differences are named."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import make, selection
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import ARCH, ROOT, SEED, Package, invoke_in, share_steps, subpackage

VERSION = "2.0.9"

Invoke = Callable[..., subprocess.CompletedProcess[str]]


def build_changed(checkout: Path, file: str, old: str, new: str) -> Path:
    """Builds the package of a checkout in which a file is changed."""
    path = checkout / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    share_steps(checkout)
    plan = selection.plan(checkout, VERSION, "el8", ARCH)
    return make.package(plan, workspace.locate(checkout), Report()).rpm


def test_an_unaltered_package_is_identical(package: Package, tmp_path: Path) -> None:
    """Under any file name."""
    rpm = Path(shutil.copy(package(VERSION, "el8").rpm, tmp_path / "downloaded.rpm"))

    result = invoke_in(ROOT, "verify", str(rpm))

    assert 0 == result.returncode, result.stderr
    assert result.stdout.splitlines()[-1].endswith(f"byte for byte: {rpm}")
    assert "compile" in result.stdout


def test_a_source_package_is_verified_too(package: Package) -> None:
    """Without compiling anything."""
    plan = package(VERSION, "el8").plan
    source = make.step(plan, workspace.locate(ROOT), Report(), "srpm")

    result = invoke_in(ROOT, "verify", str(source))

    assert 0 == result.returncode, result.stderr
    assert plan.source_name == result.stdout.splitlines()[0]
    assert "compile" not in result.stdout


def test_a_sub_package_is_verified_too(package: Package) -> None:
    """It is noarch: the same, whatever the architecture of its package is."""
    built = package(SEED, "el10", "aarch64")
    _, rpm = subpackage(built)

    result = invoke_in(ROOT, "verify", str(rpm))

    assert 0 == result.returncode, result.stderr
    assert rpm.name == result.stdout.splitlines()[0]


def test_what_differs_is_named(package: Package, checkout: Path) -> None:
    """Tags with the values of both packages, and every path with other content."""
    package(VERSION, "el8")
    shared = checkout / "recipes" / "package.toml"
    vendor = 'vendor = "mimalloc-custom"'
    shared.write_text(shared.read_text().replace(vendor, 'vendor = "somebody else"'))
    recipe = f"recipes/{VERSION}.toml"
    rpm = build_changed(checkout, recipe, "[cmake]", '[cmake]\nMI_SHOW_ERRORS = "ON"')

    result = invoke_in(ROOT, "verify", str(rpm))

    assert 28 == result.returncode
    assert "is not what its recipe makes: " in result.stderr
    assert "  VENDOR: expected mimalloc-custom, got somebody else" in result.stderr
    folder = "/usr/local/nginx-dep/lib64"
    for path in (f"{folder}/libmimalloc.so.2.0", f"{folder}/mimalloc-2.0/libmimalloc.a"):
        assert f"  {path}: expected sha256 " in result.stderr
    assert "mimalloc.h:" not in result.stderr


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (5000, "rpm cannot read altered.rpm"),
        (-5000, "altered.rpm is damaged: its digests are not those of its content"),
    ],
)
def test_a_damaged_file_is_refused(package: Package, tmp_path: Path, at: int, message: str) -> None:
    """A flipped bit in the header or in the payload is an error, and nothing is built."""
    content = bytearray(package(VERSION, "el8").rpm.read_bytes())
    content[at] ^= 1
    rpm = tmp_path / "altered.rpm"
    rpm.write_bytes(content)

    result = invoke_in(ROOT, "verify", str(rpm))

    assert 28 == result.returncode, result.stdout + result.stderr
    assert message in result.stderr
    assert "compile" not in result.stdout


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A text file, and a file that does not exist."""
    text = tmp_path / "text.rpm"
    text.write_text("not an RPM")

    results = [invoke_in(ROOT, "verify", str(file)) for file in (text, tmp_path / "none.rpm")]

    assert [28, 2] == [result.returncode for result in results]
    assert "rpm cannot read text.rpm" in results[0].stderr
    assert "no such package" in results[1].stderr


def test_a_release_without_a_recipe_is_refused(package: Package, checkout: Path) -> None:
    """Another state of the checkout built it, and can verify it."""
    package(VERSION, "el8")
    rpm = build_changed(checkout, f"recipes/{VERSION}.toml", "release = 1", "release = 2")

    result = invoke_in(ROOT, "verify", str(rpm))

    assert 2 == result.returncode
    assert "no recipe makes this package" in result.stderr
    assert "expected: mimalloc-custom-2.0.9-1.el8.x86_64.rpm" in result.stderr
    assert "got:      mimalloc-custom-2.0.9-2.el8.x86_64.rpm" in result.stderr
