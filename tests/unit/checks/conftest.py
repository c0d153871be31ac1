"""A good package: a plan, and the facts that go with it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

import pytest

from pipeline.model import (
    BuildRoot,
    Compiler,
    Facts,
    FileEntry,
    Flags,
    Flavor,
    Header,
    Isa,
    Library,
    Limits,
    Machine,
    Package,
    Plan,
    Processor,
    Recipe,
    Signing,
    Source,
    Trial,
    VersionedSymbol,
)
from pipeline.model.buildroot import Rpm, Support
from pipeline.model.package import (
    Debuginfo,
    Default,
    Hooks,
    Modes,
    Provenance,
    Setting,
    Subpackage,
    SubpackageFile,
    Upstream,
)
from pipeline.model.recipe import Change
from tests.unit.checks.case import Case

RELEASED = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
TIME = int(RELEASED.timestamp())
FOLDER = "/opt/dep/lib64"
LIBRARY = f"{FOLDER}/libmimalloc.so.1.2"
BUILD_ID = "ab" + "cd" * 19
BUILD_ID_LINK = f"/usr/lib/.build-id/{BUILD_ID[:2]}/{BUILD_ID[2:]}"
EXPORTS = frozenset({"malloc", "free", "_Znwm", "mi_malloc", "__malloc_hook", "__free_hook"})
LICENSE = "/usr/share/licenses/mimalloc-test/LICENSE"
PACKAGER = "somebody <somebody@example.invalid>"
SWEEP = "<lua>: posix.rmdir('/opt/dep')"

MANIFEST = (
    "/usr/lib/.build-id/{build_id[:2]}",
    "/usr/lib/.build-id/{build_id[:2]}/{build_id[2:]}",
    f"{FOLDER}/libmimalloc.so",
    f"{FOLDER}/libmimalloc.so.1",
    LIBRARY,
    f"{FOLDER}/mimalloc.cmake",
    f"{FOLDER}/mimalloc.pc",
    "/usr/share/licenses/mimalloc-test",
    LICENSE,
)

SUBPACKAGE = Subpackage(
    suffix="-web",
    summary="web on {version}",
    description="{name} for web",
    unit="web.service",
    setting=(Setting("MIMALLOC_X=0", "for the web"), Setting("Y=0", "gone", until="0.1")),
    file=(
        SubpackageFile("/etc/units/web.service.d/own.conf"),
        SubpackageFile("/usr/bin/web-tool", "tools/web", program=True),
    ),
)


@pytest.fixture
def good() -> Case:
    """A package with nothing wrong."""
    return Case(facts(), plan(), MANIFEST)


def plan() -> Plan:
    """Version 1.2, release 3, for a dist named el5, on x86_64."""
    return Plan(
        package=package(),
        recipe=Recipe(
            version="1.2",
            line="v1",
            released=RELEASED,
            soname="libmimalloc.so.1",
            library="libmimalloc.so.1.2",
            mi_version=120,
            tree="sha256:" + "0" * 64,
            source=(Source(sha256="0" * 64, url="https://example.invalid/1.2.tar.gz"),),
            changelog=(Change(3, date(2001, 9, 10), ("Newest change", "And another")),),
        ),
        root=build_root(),
        arch="x86_64",
        processor=processor("x86_64"),
        compiler=Compiler("zig", Flags(), {}),
        flavor=Flavor(),
    )


def package() -> Package:
    """What all releases share."""
    return Package(
        name="mimalloc-test",
        prefix="/opt/dep",
        libdir="lib64",
        summary="summary of {version}",
        description="description of {version}",
        url="https://example.invalid",
        license="MIT",
        license_text="",
        vendor="vendor",
        packager=PACKAGER,
        build_host="host.invalid",
        platform="{arch}-some-linux",
        identity=("src/",),
        overrides=("malloc", "free", "_Znwm"),
        exports=("mi_*", "strdup"),
        hooks=Hooks("2.34", "hooks.c", ("__malloc_hook", "__free_hook")),
        tls_ceiling=256,
        upstream=Upstream("v{version}", "", ""),
        default=Default("1.2", "el5"),
        modes=Modes(file="0644", folder="0755", library="0755", program="0711"),
        limits=Limits(1, 1, 1),
        signing=Signing("rsa", 1, "sha256"),
        provenance=Provenance("urn:build", "urn:host", "pkg:generic/mimalloc@{version}"),
        debuginfo=Debuginfo(
            "-debug", "of {name}", "debug {name}", "/usr/debug", "/usr/src", "/usr/h"
        ),
        cmake={},
        macros={},
        flavor={"plain": Flavor()},
    )


def processor(name: str) -> Processor:
    """A kind of processor with small pages, and one level."""
    ungrouped = {"base": ("mov", "popc*"), "sse4": ("popcnt", "cmpxchg16?"), "lse": ("ldadd*",)}
    level = Isa(("mode64", "sse2", "base"), "old", harmless=("tzcnt",))
    return Processor(name, 4096, "emulate", "/opt/root", ungrouped, {"x86-64": level})


def build_root() -> BuildRoot:
    """A dist whose C library is 2.17, and whose rpm knows few features."""
    return BuildRoot(
        dist="el5",
        title="Enterprise Linux 5",
        glibc="2.17",
        libraries=("libc.so.6", "libpthread.so.0"),
        hardening=("relro", "bind-now"),
        support=Support(date(2001, 1, 1), "source"),
        rpm=Rpm(
            version="4.11",
            features=("FileDigests", "PayloadIsXz", "BuiltinLuaScripts"),
            macros={"_binary_payload": "w9.xzdio", "_binary_filedigest_algorithm": "8"},
        ),
        flags=Flags(),
        machine={"x86_64": Machine("x86-64", hardening=("cet",))},
    )


def facts() -> Facts:
    """What is in the package that was planned."""
    return Facts(
        file_name="mimalloc-test-1.2-3.el5.x86_64.rpm",
        header=header(),
        library=library(),
        host_names=(),
        texts={
            f"{FOLDER}/mimalloc.pc": "Libs: -L${libdir} -lmimalloc\nLibs.private: -lpthread -lrt\n",
            f"{FOLDER}/mimalloc.cmake": 'INTERFACE_LINK_LIBRARIES "\\$<LINK_ONLY:pthread>;-lrt"',
        },
        trials=(Trial("loads", True, "ok"), Trial("aligned", True, "ok")),
        required=("loads",),
    )


def header() -> Header:
    """The header of the package that was planned."""
    release = "1.2-3.el5"
    tags = {
        "NAME": "mimalloc-test",
        "VERSION": "1.2",
        "RELEASE": "3.el5",
        "ARCH": "x86_64",
        "OS": "linux",
        "SUMMARY": "summary of 1.2",
        "DESCRIPTION": "description of 1.2",
        "URL": "https://example.invalid",
        "LICENSE": "MIT",
        "VENDOR": "vendor",
        "PACKAGER": PACKAGER,
        "BUILDHOST": "host.invalid",
        "PLATFORM": "x86_64-some-linux",
        "BUILDTIME": str(TIME),
        "SOURCERPM": f"mimalloc-test-{release}.src.rpm",
        "PAYLOADFORMAT": "cpio",
        "PAYLOADCOMPRESSOR": "xz",
        "PAYLOADFLAGS": "9",
        "FILEDIGESTALGO": "8",
    }
    names = (f"mimalloc-test = {release}", f"mimalloc-test(x86-64) = {release}")
    needs = ("libc.so.6()(64bit)", "libc.so.6(GLIBC_2.14)(64bit)")
    features = ("rpmlib(FileDigests) <= 4.6.0-1", "rpmlib(PayloadIsXz) <= 5.2-1")
    return Header(
        tags=tags,
        provides=(*names, "pkgconfig(mimalloc) = 1.2"),
        requires=(*needs, *features, "rtld(GNU_HASH)"),
        scriptlets={"postun": SWEEP},
        changelog=(
            f"2001-09-10 {PACKAGER} - 1.2-3\n- Newest change\n- And another",
            f"2001-09-09 {PACKAGER} - 1.2-2\n- Older change",
        ),
        files=entries(),
    )


def entries() -> tuple[FileEntry, ...]:
    """The paths of the package that was planned."""
    file, folder, link, library = 0o100644, 0o040755, 0o120777, 0o100755
    up = "../../../.."
    return (
        entry("/usr/lib/.build-id/ab", folder),
        entry(BUILD_ID_LINK, link, f"{up}{LIBRARY}"),
        entry(f"{FOLDER}/libmimalloc.so", link, "libmimalloc.so.1"),
        entry(f"{FOLDER}/libmimalloc.so.1", link, "libmimalloc.so.1.2"),
        entry(LIBRARY, library),
        entry(f"{FOLDER}/mimalloc.cmake", file),
        entry(f"{FOLDER}/mimalloc.pc", file),
        entry("/usr/share/licenses/mimalloc-test", folder),
        replace(entry(LICENSE, file), is_license=True),
    )


def entry(path: str, mode: int, link: str = "") -> FileEntry:
    """A path with the time of the release."""
    return FileEntry(path, mode, "root", "root", TIME, link)


def library() -> Library:
    """The library of the package that was planned."""
    assert PurePosixPath(LIBRARY).name == plan().recipe.library
    return Library(
        machine="x86_64",
        soname="libmimalloc.so.1",
        needed=("libc.so.6",),
        rpath="",
        build_id=BUILD_ID,
        symbols=(
            VersionedSymbol("memcpy", "GLIBC_2.14", "libc.so.6"),
            VersionedSymbol("clock_gettime", "GLIBC_2.17", "libc.so.6"),
        ),
        exports=EXPORTS,
        hardening=frozenset({"relro", "bind-now", "cet"}),
        tls=256,
        static_tls=True,
        load_alignment=4096,
        leftovers=(),
        instructions={
            "": {"mov": 1000, "lock cmpxchg": 5},
            "mode64": {"push": 10},
            "sse2": {"movdqu": 7},
            "bmi": {"tzcnt": 3},
        },
    )
