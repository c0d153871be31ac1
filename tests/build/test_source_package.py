"""The source package builds by itself, with the tools of the system that it is built on."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import make, selection
from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import ARCH, DISTS, NEWEST, ROOT, SEED, Package, invoke_in

Invoke = Callable[..., subprocess.CompletedProcess[str]]

RELEASES = [
    (SEED, "el7", "plain"),
    (SEED, "el8", "plain"),
    ("2.0.9", "el8", "plain"),
    ("3.4.3", "el9", "plain"),
    ("3.4.3", "el10", "secure"),
]


# Of these a whole build takes half a minute: without `--full` the oldest of all, and the newest.
BUILT = [
    pytest.param(*which, marks=() if which in (RELEASES[0], RELEASES[-1]) else pytest.mark.full)
    for which in RELEASES
]


@pytest.fixture
def source(package: Package) -> Callable[[str, str, str], Path]:
    """Makes a source package; skips, with a notice, without the release's source."""

    def make_source(version: str, dist: str, flavor: str) -> Path:
        package(version, "el8")
        plan = selection.plan(ROOT, version, dist, ARCH, flavor)
        return make.step(plan, workspace.locate(ROOT), Report(), "srpm")

    return make_source


def listing(rpm: Path) -> list[str]:
    """What `rpm -qlp` prints, the build-id as in the manifests."""
    command = ["rpm", "-qlp", "--nosignature", str(rpm)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    folder = r"(?m)^(/usr/lib/\.build-id/)[0-9a-f]{2}"
    text = re.sub(folder + r"/[0-9a-f]+$", r"\1{build_id[:2]}/{build_id[2:]}", text)
    return re.sub(folder + "$", r"\1{build_id[:2]}", text).splitlines()


@pytest.mark.parametrize(("version", "dist", "flavor"), BUILT)
def test_it_builds_by_itself(
    source: Callable[[str, str, str], Path], tmp_path: Path, version: str, dist: str, flavor: str
) -> None:
    """`rpmbuild --rebuild` with the host's gcc, in an empty folder: the manifest's files."""
    source_rpm = source(version, dist, flavor)
    # The required programs are there, but not in this host's rpm database.
    command = ["rpmbuild", "--rebuild", "--nodeps", "--define", f"_topdir {tmp_path}"]
    command += ["--define", f"dist .{dist}", str(source_rpm)]
    # The host's own gcc, and its cmake where it has one; else that of our environment.
    path = f"/usr/bin:/bin:{Path(sys.executable).parent}"
    env = {"HOME": str(tmp_path), "PATH": path}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    packages = {file.name: file for file in (tmp_path / "RPMS").rglob("*.rpm")}
    plan = selection.plan(ROOT, version, dist, ARCH, flavor)
    assert set(plan.file_names) == set(packages)
    rpm, *others = (packages[name] for name in plan.file_names)
    manifest, *more = map(list, load.manifests(ROOT, plan))
    for other, paths in zip(others, more, strict=True):
        # The host's rpmbuild compresses manuals.
        assert paths == [path.removesuffix(".gz") for path in listing(other)]
    assert manifest == listing(rpm)
    assert source_rpm.name.replace(".src.rpm", f".{ARCH}.rpm") == rpm.name


@pytest.mark.parametrize(("version", "dist", "flavor"), RELEASES)
def test_spec_and_package_are_clean(
    source: Callable[[str, str, str], Path], rpmlint: str, tmp_path: Path,
    version: str, dist: str, flavor: str,
) -> None:  # fmt: skip
    """rpmlint reports nothing but what is filtered, and rpmspec gives no warning."""
    source_rpm = source(version, dist, flavor)
    (spec,) = unpacked(source_rpm, tmp_path).glob("*.spec")
    settings = str(ROOT / "tests" / "rpmlint.toml")
    linted = subprocess.run(
        [rpmlint, "--strict", "-c", settings, str(source_rpm), str(spec)],
        capture_output=True,
        text=True,
        check=False,
    )
    parsed = subprocess.run(
        ["rpmspec", "-P", str(spec)], capture_output=True, text=True, check=False
    )

    assert "1 packages and 1 specfiles checked; 0 errors, 0 warnings" in linted.stdout, (
        linted.stdout
    )
    assert (0, "") == (parsed.returncode, parsed.stderr)
    assert "BuildRequires:  cmake" in parsed.stdout


DEFAULT = ["cmake", "gcc", "make", "patch"]

# The compiler of EL7 is too old for C11, and its cmake for mimalloc.
NEWER = ["cmake3", "devtoolset-11-gcc", "make", "patch"]


@pytest.mark.parametrize("dist", DISTS)
def test_build_requirements_of_a_dist(source: Callable[[str, str, str], Path], dist: str) -> None:
    """They are in the header of the source package."""
    command = ["rpm", "-qp", "--nosignature", "--requires", str(source("2.0.9", dist, "plain"))]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    needs = sorted(line for line in output.splitlines() if not line.startswith("rpmlib("))
    assert needs == (NEWER if dist == "el7" else DEFAULT)


@pytest.mark.parametrize(
    ("macros", "release", "needs"),
    [
        ((), "1", DEFAULT),
        (("dist .el7", "rhel 7"), "1.el7", NEWER),
        (("dist .el7.centos", "rhel 7"), "1.el7.centos", NEWER),
        (("dist .el8", "rhel 8"), "1.el8", DEFAULT),
        (("dist .el10_1", "rhel 10"), "1.el10_1", DEFAULT),
        (("dist .fc43", "fedora 43"), "1.fc43", DEFAULT),
    ],
)
def test_build_requirements_of_a_system(
    source: Callable[[str, str, str], Path], tmp_path: Path,
    macros: tuple[str, ...], release: str, needs: list[str],
) -> None:  # fmt: skip
    """The spec depends on the system that builds it, and not on the one that packed it."""
    (spec,) = unpacked(source("2.0.9", "el8", "plain"), tmp_path).glob("*.spec")
    defines = [word for macro in macros for word in ("--define", macro)]
    answers = []
    for query in (["--buildrequires"], ["--srpm", "--qf", "%{RELEASE}"]):
        command = ["rpmspec", "-q", *query, *defines, str(spec)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert "" == done.stderr
        answers.append(sorted(done.stdout.split()))

    assert [needs, [release]] == answers


def test_it_is_the_same_anywhere(
    source: Callable[[str, str, str], Path], checkout: Path, invoke: Invoke
) -> None:
    """From another folder, another umask, and another source of the same tree."""
    source_rpm = source("3.4.3", "el8", "plain")
    script = (
        f"umask 077; invoke srpm --version 3.4.3 --dist el8 --source '{tree(source_rpm, checkout)}'"
    )
    done = subprocess.run(
        ["sh", "-c", script], cwd=checkout, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
    again = checkout / "dist" / "el8" / "source" / source_rpm.name
    assert source_rpm.read_bytes() == again.read_bytes()


def unpacked(source_rpm: Path, folder: Path) -> Path:
    """The files in a source package."""
    folder.mkdir(exist_ok=True)
    archive = subprocess.run(["rpm2cpio", source_rpm], check=True, capture_output=True).stdout
    subprocess.run(["cpio", "-idm", "--quiet"], check=True, input=archive, cwd=folder)
    return folder


def tree(source_rpm: Path, folder: Path) -> Path:
    """The unpacked tree of a source package, as a folder for --source."""
    (archive,) = unpacked(source_rpm, folder.parent / "tree").glob("*.tar.gz")
    subprocess.run(["tar", "-xf", archive], check=True, cwd=archive.parent)
    return archive.with_name(archive.name.removesuffix(".tar.gz"))


@pytest.mark.parametrize(("field", "version"), [("recipes/2.0.9.toml", "2.0.9"), ("", NEWEST)])
def test_copr_makes_it(
    package: Package, checkout: Path, tmp_path: Path, field: str, version: str
) -> None:
    """The Makefile, called as COPR calls it, leaves one source package in the folder ``outdir``.

    COPR puts its folder before the field "Spec File", also where that is empty.
    """
    package(version, "el8")
    shutil.copytree(ROOT / ".copr", checkout / ".copr")
    # The environment exists: the test is of the Makefile, and not of bootstrap.
    (checkout / "bootstrap").write_text('#!/bin/sh\nexec "$@"\n')
    (checkout / "bootstrap").chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    command = ["make", "-f", str(checkout / ".copr" / "Makefile"), "srpm"]
    command += [f"outdir={out}", f"spec={checkout / field}"]
    # A home that does not exist, and nothing of a user's environment.
    cache = workspace.locate(ROOT).cache.parent
    env = {"PATH": os.environ["PATH"], "HOME": "/builddir", "MIMALLOC_CACHE": str(cache)}
    done = subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
    assert [f"mimalloc-custom-{version}-1.el8.src.rpm"] == [file.name for file in out.iterdir()]


def test_without_a_manifest_there_is_no_list_of_files(checkout: Path) -> None:
    """The spec's list is the manifest's, so it must be there first."""
    (checkout / "recipes" / "manifests" / "3.4.3.txt").unlink()

    done = invoke_in(checkout, "srpm", "--version", "3.4.3", "--dist", "el8")

    assert 10 == done.returncode
    assert "no such manifest" in done.stderr
