"""The RPMs in dist/, as `rpm` prints them, against the page that the project started from."""

import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from pipeline.build import make
from pipeline.inspect import elf
from pipeline.model import Built
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import EVERY, MACHINES, OLD, ROOT, SEED, Package, Which, of_each

# The page's `rpm -ql` for EL7; that for EL8 has build-id lines before these.
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


# rpm's name of the machine in what a package provides.
MACHINE_WORDS = {"x86_64": "x86-64", "x86_64_v2": "x86-64", "aarch64": "aarch-64"}


def query(built: Built, *arguments: str) -> str:
    """What `rpm -qp` prints of a package."""
    command = ["rpm", "-qp", "--nosignature", *arguments, str(built.rpm)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@of_each(Which(SEED, *machine) for machine in MACHINES)
def test_the_listing_is_that_of_the_page(package: Package, which: Which) -> None:
    """`rpm -qlp` of 2.0.6 prints the page's paths, in its order, and its build-id from EL8 on."""
    listing = query(package(*which), "-l").splitlines()

    build_id = [path for path in listing if path.startswith("/usr/lib/.build-id")]
    assert SEED_FILES == listing[len(build_id) :]
    assert (0 if which.dist == "el7" else 3) == len(build_id)


@of_each(which for which in EVERY if which.flavor == "secure")
def test_a_secure_package_brings_libraries_and_nothing_else(package: Package, which: Which) -> None:
    """Every file has another name than the plain package's; all but the licence are in lib64."""
    plain = query(package(*which._replace(flavor="plain")), "-l").splitlines()
    built = package(*which)
    own = set(query(built, "-l").splitlines()) - set(plain)

    folder = "/usr/local/nginx-dep/lib64/"
    others = ("/usr/lib/.build-id/", "/usr/share/licenses/mimalloc-custom-secure")
    files = {path for path in own if not path.startswith(others)}
    objects = {
        str(built.plan.objects / name) for name in ("libmimalloc-secure.a", "mimalloc-secure.o")
    }
    assert {str(built.plan.library), *built.plan.links, *objects} == files
    assert all(path.startswith(folder) for path in files)


@pytest.mark.parametrize("dist", OLD)
def test_readmes_listings_are_true(package: Package, dist: str) -> None:
    """README shows the listing, the tags and the size of 2.0.6."""
    section = (ROOT / "README.md").read_text().split(f"\n## {dist.upper()}\n")[1].split("\n## ")[0]
    blocks = section.split("```\n")
    listing = next(text for text in blocks if text.startswith("rpm -ql "))
    info = next(text for text in blocks if text.startswith("yum -q info "))

    built = package(SEED, dist)

    assert listing.splitlines()[1:] == query(built, "-l").splitlines()
    pairs = (line.split(":", 1) for line in info.splitlines() if " : " in line)
    tags = {name.strip(): value.strip() for name, value in pairs}
    size = int(query(built, "--qf", "%{SIZE}"))
    summary, description = query(built, "--qf", "%{SUMMARY}\n%{DESCRIPTION}").splitlines()
    assert f"{size / 1024:.0f} k" == tags["Size"]
    assert (summary, description) == (tags["Summary"], tags["Description"])
    assert ("MIT", f"1.{dist}") == (tags["License"], tags["Release"])


@of_each(which for which in EVERY if which.dist != "el7")
def test_the_build_id_in_the_listing_is_the_librarys_own(package: Package, which: Which) -> None:
    """The three build-id lines are the folder, the first byte, and the rest of the build-id."""
    built = package(*which)
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
    dirs = make.step_dirs(built.plan, workspace.locate(ROOT))
    return dirs.unpacked


@of_each(EVERY)
def test_the_header_is_that_of_the_page(package: Package, which: Which) -> None:
    """Names, URL, summary and description are the page's; the licence is upstream's.

    The description of the secure package goes on.
    """
    version, dist, arch, flavor = which
    name = "mimalloc-custom" if flavor == "plain" else f"mimalloc-custom-{flavor}"
    tags = "NAME VERSION RELEASE ARCH SOURCERPM URL SUMMARY DESCRIPTION LICENSE".split()
    built = package(*which)
    values = query(built, "--qf", "\n".join(f"%{{{tag}}}" for tag in tags))

    expected = [
        name,
        version,
        f"1.{dist}",
        arch,
        f"{name}-{version}-1.{dist}.src.rpm",
        "https://centminmod.com",
        f"{name}-{version} for centminmod.com LEMP stack installs",
        built.plan.description,
        "MIT",
    ]
    assert "\n".join(expected) == values.strip()
    words = f"{name}-{version} for centminmod.com LEMP stacks"
    assert built.plan.description.startswith(words)
    assert (words == built.plan.description) == (flavor == "plain")
    assert ROOT / "dist" / dist / arch / f"{name}-{version}-1.{dist}.{arch}.rpm" == built.rpm


@of_each(EVERY)
def test_it_provides_its_names(package: Package, which: Which) -> None:
    """Its own name, and that with the machine: no soname, which the loader would not find."""
    built = package(*which)
    provides = query(built, "--provides").splitlines()

    name = "mimalloc-custom" if which.flavor == "plain" else "mimalloc-custom-secure"
    version = f"{which.version}-1.{which.dist}"
    machine = f"{name}({MACHINE_WORDS[which.arch]}) = {version}"
    # Those of build files come from the dists' own generators.
    assert {f"{name} = {version}", machine} == {
        capability for capability in provides if not capability.startswith(("pkgconfig(", "cmake("))
    }


@of_each(EVERY)
def test_it_needs_the_c_library_and_nothing_else(package: Package, which: Which) -> None:
    """Neither librt nor libatomic, from el9 on no libpthread, and no symbol that the dist lacks."""
    built = package(*which)
    needs = query(built, "--requires").splitlines()

    # Since 2.34 the C library has the functions of threads, by symbols of that version.
    glibc, merged = Version(built.plan.root.glibc), Version("2.34")
    threads = {"libpthread.so.0"} if glibc < merged else set()
    loader = {"ld-linux-aarch64.so.1"} if which.arch == "aarch64" else set()
    libraries = {need.partition("(")[0] for need in needs if need.startswith(("lib", "ld-"))}
    assert {"libc.so.6"} | threads | loader == libraries
    symbols = [need for need in needs if "(GLIBC_" in need]
    versions = [need.partition("GLIBC_")[2].partition(")")[0] for need in symbols]
    assert (merged if glibc >= merged else Version("2.17")) == max(map(Version, versions))


@of_each(EVERY)
def test_the_rpm_of_the_dist_can_read_it(package: Package, which: Which) -> None:
    """Its payload, SHA-256 file digests, and no rpmlib() feature that the dist's rpm lacks."""
    built = package(*which)
    formats = query(built, "--qf", "%{PAYLOADCOMPRESSOR} %{PAYLOADFLAGS} %{FILEDIGESTALGO}")
    features = {
        need.split("(")[1].split(")")[0]
        for need in query(built, "--requires").splitlines()
        if need.startswith("rpmlib(")
    }

    assert ("xz 9 8" if which.dist in OLD else "zstd 19 8") == formats
    assert set(built.plan.root.rpm.features) >= features
    assert "BuiltinLuaScripts" in features
    assert ("PayloadIsZstd" in features) == (which.dist not in OLD)


def test_a_second_build_does_nothing(package: Package) -> None:
    """The package is up to date."""
    first = package("3.4.3", "el8")
    before = first.rpm.stat().st_mtime_ns

    second = make.package(first.plan, workspace.locate(ROOT), Report())

    assert not second.fresh
    assert (first.sha256, before) == (second.sha256, second.rpm.stat().st_mtime_ns)
