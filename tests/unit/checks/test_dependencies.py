"""Checks of what a package needs: symbol versions, libraries, capabilities."""

import pytest

from pipeline.model import VersionedSymbol
from tests.unit.checks.case import Case

FOLDER = "/opt/dep/lib64"
NEVRA = "mimalloc-test-1.2-3.el5.x86_64"

# What is expected of the libraries that installed files name.
INSTALLED = "only libraries of a base installation"
NAMED = "the name of a library, not a path"


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        (
            VersionedSymbol("memcpy", "GLIBC_2.34", "libc.so.6"),
            "memcpy@GLIBC_2.34 from libc.so.6: expected GLIBC_2.17 or older (el5), got GLIBC_2.34",
        ),
        (
            VersionedSymbol("", "GLIBC_ABI_DT_RELR", "libc.so.6"),
            "GLIBC_ABI_DT_RELR from libc.so.6: "
            "expected GLIBC_2.17 or older (el5), got GLIBC_ABI_DT_RELR",
        ),
        (
            VersionedSymbol("secret", "GLIBC_PRIVATE", "libc.so.6"),
            "secret@GLIBC_PRIVATE from libc.so.6: "
            "expected GLIBC_2.17 or older (el5), got GLIBC_PRIVATE",
        ),
        (
            VersionedSymbol("_Unwind_Resume", "GCC_3.0", "libgcc_s.so.1"),
            "_Unwind_Resume@GCC_3.0 from libgcc_s.so.1: "
            "expected GLIBC_2.17 or older (el5), got GCC_3.0",
        ),
        (
            VersionedSymbol("nowhere", "", ""),
            "nowhere: expected GLIBC_2.17 or older (el5), "
            "got no version: no linked library defines it",
        ),
    ],
)
def test_a_symbol_the_dist_lacks_is_named(
    good: Case, symbol: VersionedSymbol, message: str
) -> None:
    """The finding has symbol, version and file: all that is needed to locate it."""
    assert [f"floor: {message}"] == good.with_library(symbols=(symbol,)).messages()


@pytest.mark.parametrize("version", ["2.2.5", "2.3.4", "2.9", "2.17"])
def test_versions_are_compared_as_numbers(good: Case, version: str) -> None:
    """2.9 is older than 2.17, though it sorts behind it as text."""
    symbol = VersionedSymbol("f", f"GLIBC_{version}", "libc.so.6")
    assert [] == good.with_library(symbols=(symbol,)).findings()


def test_a_newer_version_in_requires_is_found(good: Case) -> None:
    """Rpm would refuse the package, whatever the library needs in truth."""
    newer = "libc.so.6(GLIBC_2.28)(64bit)"
    requires = (*good.facts.header.requires, newer)
    (message,) = good.with_header(requires=requires).messages()
    expected = "expected GLIBC_2.17 or older (el5), got GLIBC_2.28"
    assert f"floor: Requires: {newer}: {expected}" == message


def test_another_library_is_found(good: Case) -> None:
    """What a base installation lacks is refused; rpm's own list of needs is held against it."""
    messages = good.with_library(needed=("libc.so.6", "libatomic.so.1")).messages()
    subject = "libraries: DT_NEEDED of libmimalloc.so.1.2"
    assert (
        f"{subject}: expected one of libc.so.6, libpthread.so.0, got libatomic.so.1" == messages[0]
    )
    assert messages[1].endswith("expected Requires: libatomic.so.1()(64bit), got none")


@pytest.mark.parametrize(
    ("path", "text", "expected", "got"),
    [
        ("a.pc", "Libs.private: -lpthread -latomic\n", INSTALLED, "-latomic"),
        ("a.pc", "Libs: /usr/lib64/libatomic.so.1\n", NAMED, "/usr/lib64/libatomic.so.1"),
        ("a.cmake", 'INTERFACE_LINK_LIBRARIES "-lpthread;atomic"', INSTALLED, "atomic"),
        ("a.cmake", 'INTERFACE_LINK_LIBRARIES "\\$<LINK_ONLY:atomic>"', INSTALLED, "atomic"),
        ("a.cmake", 'INTERFACE_LINK_LIBRARIES "/usr/lib/librt.a"', NAMED, "/usr/lib/librt.a"),
    ],
)
def test_build_files_name_no_library_of_the_host(
    good: Case, path: str, text: str, expected: str, got: str
) -> None:
    """Neither libatomic, which upstream's probe adds, nor the path of any library."""
    (message,) = good.with_facts(texts={f"{FOLDER}/{path}": text}).messages()
    assert f"libraries: {FOLDER}/{path}: expected {expected}, got {got}" == message


def test_build_files_may_mention_atomic(good: Case) -> None:
    """Only what is linked with counts."""
    text = "Description: an atomic allocator\nCflags: -I/opt/atomic\n"
    assert [] == good.with_facts(texts={f"{FOLDER}/a.pc": text}).findings()


@pytest.mark.parametrize(
    "capability",
    ["/bin/sh", "nginx", "librt.so.1()(64bit)", "rtld(OTHER)", "libmimalloc.so.1()(64bit)"],
)
def test_an_unexpected_capability_is_found(good: Case, capability: str) -> None:
    """Nothing but the C library and rpm has to be there, above all no library of this soname."""
    requires = (*good.facts.header.requires, capability)
    (message,) = good.with_header(requires=requires).messages()
    expected = "the C library's, or rpm's"
    assert f"requires: {NEVRA}: expected {expected}, got Requires: {capability}" == message


def test_a_missing_capability_is_found(good: Case) -> None:
    """Rpm would install the package where it cannot run."""
    missing = "libc.so.6()(64bit)"
    requires = tuple(name for name in good.facts.header.requires if name != missing)
    (message,) = good.with_header(requires=requires).messages()
    assert f"requires: {NEVRA}: expected Requires: {missing}, got none" == message


@pytest.mark.parametrize("tag", ["CONFLICTNAME", "OBSOLETENAME", "RECOMMENDNAME"])
def test_a_dependency_of_another_kind_is_found(good: Case, tag: str) -> None:
    """The package must not add, remove or conflict with another one."""
    (message,) = good.with_tags(**{tag: "jemalloc\nnginx"}).messages()
    got = f"{tag.removesuffix('NAME').capitalize()}s: jemalloc, nginx"
    assert f"requires: {NEVRA}: expected no dependency but Requires, got {got}" == message
