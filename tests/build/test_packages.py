"""What is tested is the RPM in dist/, as `rpm` tells it, against the page it started from."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from pathlib import Path

import pytest
from packaging.version import Version

from pipeline import build, request, workspace
from pipeline.facts import elf
from pipeline.model import Built
from pipeline.report import Report
from tests.build.conftest import ARCH, DISTS, EVERY, REACHABLE, ROOT, SEED, Package

# `rpm -ql` of the page, for EL7; EL8 has the build-id lines before them.
SEED_FILES = """
/usr/local/nginx-dep/include/mimalloc-2.0/mimalloc-new-delete.h
/usr/local/nginx-dep/include/mimalloc-2.0/mimalloc-override.h
/usr/local/nginx-dep/include/mimalloc-2.0/mimalloc.h
/usr/local/nginx-dep/lib64/cmake/mimalloc-2.0/mimalloc-config-version.cmake
/usr/local/nginx-dep/lib64/cmake/mimalloc-2.0/mimalloc-config.cmake
/usr/local/nginx-dep/lib64/cmake/mimalloc-2.0/mimalloc-release.cmake
/usr/local/nginx-dep/lib64/cmake/mimalloc-2.0/mimalloc.cmake
/usr/local/nginx-dep/lib64/libmimalloc.so
/usr/local/nginx-dep/lib64/libmimalloc.so.2
/usr/local/nginx-dep/lib64/libmimalloc.so.2.0
/usr/local/nginx-dep/lib64/mimalloc-2.0/libmimalloc.a
/usr/local/nginx-dep/lib64/mimalloc-2.0/mimalloc.o
""".split()


def query(built: Built, *arguments: str) -> str:
    """What `rpm -qp` prints of a package."""
    command = ["rpm", "-qp", "--nosignature", *arguments, str(built.rpm)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("dist", DISTS)
def test_the_seeds_listing_comes_out_path_for_path(package: Package, dist: str) -> None:
    """`rpm -qlp` of 2.0.6 prints the page's paths, in its order, and its build-id on EL8."""
    listing = query(package(SEED, dist), "-l").splitlines()

    build_id = [path for path in listing if path.startswith("/usr/lib/.build-id")]
    assert SEED_FILES == listing[len(build_id) :]
    assert (3 if dist == "el8" else 0) == len(build_id)


@pytest.mark.parametrize("dist", DISTS)
def test_readmes_listings_are_true(package: Package, dist: str) -> None:
    """What README shows of 2.0.6 is what the package says, to the last path and its size."""
    section = (ROOT / "README.md").read_text().split(f"\n## {dist.upper()}\n")[1].split("\n## ")[0]
    blocks = section.split("```\n")
    shown = next(text for text in blocks if text.startswith("rpm -ql "))
    info = next(text for text in blocks if text.startswith("yum -q info "))

    built = package(SEED, dist)

    assert shown.splitlines()[1:] == query(built, "-l").splitlines()
    told = dict(line.split(":", 1) for line in info.splitlines() if " : " in line)
    tags = {name.strip(): value.strip() for name, value in told.items()}
    size = int(query(built, "--qf", "%{SIZE}"))
    summary, description = query(built, "--qf", "%{SUMMARY}\n%{DESCRIPTION}").splitlines()
    assert f"{size / 1024:.0f} k" == tags["Size"]
    assert (summary, description) == (tags["Summary"], tags["Description"])
    assert ("MIT", f"1.{dist}") == (tags["License"], tags["Release"])


@pytest.mark.parametrize("version", [SEED, *REACHABLE])
def test_the_build_id_on_el8_is_the_librarys_own(package: Package, version: str) -> None:
    """The three build-id lines are the folder, the first byte, and the rest of the build-id."""
    built = package(version, "el8")
    listing = query(built, "-l").splitlines()

    head = listing[1].rpartition("/")[2]
    rest = listing[2].rpartition("/")[2]
    assert f"{head}{rest}" == _build_id(built)


def _build_id(built: Built) -> str:
    links = query(built, "--qf", "[%{FILENAMES} %{FILELINKTOS}\n]").splitlines()
    link = next(line.split()[1] for line in links if "/.build-id/" in line and "libmim" in line)
    assert link.endswith(str(built.plan.library))
    return elf.read(_unpacked(built) / str(built.plan.library).lstrip("/")).build_id


def _unpacked(built: Built) -> Path:
    site = build.prepare(built.plan, workspace.locate(ROOT))
    return site.unpacked


@pytest.mark.parametrize(("version", "dist"), EVERY)
def test_the_header_reads_like_the_page(package: Package, version: str, dist: str) -> None:
    """Names, URL, summary and description are the page's; the licence is the true one."""
    tags = "NAME VERSION RELEASE ARCH SOURCERPM URL SUMMARY DESCRIPTION LICENSE".split()
    told = query(package(version, dist), "--qf", "\n".join(f"%{{{tag}}}" for tag in tags))

    assert [
        "mimalloc-custom",
        version,
        f"1.{dist}",
        ARCH,
        f"mimalloc-custom-{version}-1.{dist}.src.rpm",
        "https://centminmod.com",
        f"mimalloc-custom-{version} for centminmod.com LEMP stack installs",
        f"mimalloc-custom-{version} for centminmod.com LEMP stacks",
        "MIT",
    ] == told.splitlines()


@pytest.mark.parametrize(("version", "dist"), EVERY)
def test_it_needs_the_c_library_and_nothing_else(package: Package, version: str, dist: str) -> None:
    """Neither librt nor libatomic, and no symbol newer than GLIBC_2.17."""
    needs = query(package(version, dist), "--requires").splitlines()

    own = package(version, dist).plan.recipe.soname
    libraries = {need.partition("(")[0] for need in needs if need.startswith("lib")}
    assert {"libc.so.6", "libpthread.so.0", own} == libraries
    symbols = [need for need in needs if "(GLIBC_" in need]
    assert symbols
    versions = [need.partition("GLIBC_")[2].partition(")")[0] for need in symbols]
    assert Version("2.17") >= max(map(Version, versions))


@pytest.mark.parametrize("version", [SEED, *REACHABLE])
def test_the_rpm_of_el7_can_read_it(package: Package, version: str) -> None:
    """The payload is xz, file digests are SHA-256, and no rpmlib() feature is younger than 4.11."""
    built = package(version, "el7")
    shape = query(built, "--qf", "%{PAYLOADCOMPRESSOR} %{PAYLOADFLAGS} %{FILEDIGESTALGO}")
    features = {
        need.split("(")[1].split(")")[0]
        for need in query(built, "--requires").splitlines()
        if need.startswith("rpmlib(")
    }

    assert "xz 9 8" == shape
    assert set(built.plan.root.rpm.features) >= features
    assert ("BuiltinLuaScripts" in features) == (version == SEED)


@pytest.mark.parametrize(("version", "dist"), EVERY)
def test_the_record_beside_it_says_what_it_was_made_from(
    package: Package, version: str, dist: str
) -> None:
    """The JSON names source, tree, patches, options and tools, and the checksum is the RPM's."""
    built = package(version, dist)
    record = json.loads(built.rpm.with_suffix(".json").read_text())

    assert hashlib.sha256(built.rpm.read_bytes()).hexdigest() == record["sha256"]
    assert built.plan.recipe.tree == record["source"]["tree"]
    assert [patch.sha256 for patch in built.plan.recipe.patch] == [
        patch["sha256"] for patch in record["patches"]
    ]
    assert "ON" == record["options"]["MI_OVERRIDE"]
    assert {"zig", "cmake", "ninja", "rpmbuild"} == set(record["toolchain"]["versions"])
    assert str(ROOT) not in json.dumps(record)


def test_a_second_build_finds_it_up_to_date(package: Package) -> None:
    """Nothing is done again where nothing has changed."""
    first = package("3.4.3", "el8")
    before = first.rpm.stat().st_mtime_ns

    second = build.build(first.plan, workspace.locate(ROOT), Report())

    assert not second.fresh
    assert (first.sha256, before) == (second.sha256, second.rpm.stat().st_mtime_ns)


def test_another_place_gives_the_same_bytes(package: Package, checkout: Path) -> None:
    """The RPM holds no trace of where, or when, it was built."""
    first = package("3.4.3", "el7")
    plan = request.plan(checkout, "3.4.3", "el7", ARCH)

    time.sleep(1.1)
    second = build.build(plan, workspace.locate(checkout), Report())

    assert second.fresh
    assert first.sha256 == second.sha256
