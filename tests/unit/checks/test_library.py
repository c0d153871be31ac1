"""Checks of the shared library itself."""

import pytest

from tests.unit.checks.case import Case
from tests.unit.checks.conftest import EXPORTS

LIBRARY = "/opt/dep/lib64/libmimalloc.so.1.2"


def test_a_missing_library_is_found(good: Case) -> None:
    """The first thing that a package of a library must have."""
    messages = good.with_facts(library=None).messages()
    assert f"soname: {LIBRARY}: expected a shared library, got no such file" == messages[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"machine": "aarch64"}, f"machine of {LIBRARY}: expected x86_64, got aarch64"),
        (
            {"soname": "libmimalloc.so.2"},
            f"soname of {LIBRARY}: expected libmimalloc.so.1, got libmimalloc.so.2",
        ),
        ({"soname": ""}, f"soname of {LIBRARY}: expected libmimalloc.so.1, got none"),
        ({"rpath": "$ORIGIN"}, f"search path of {LIBRARY}: expected none, got $ORIGIN"),
    ],
)
def test_another_identity_is_found(good: Case, change: dict[str, str], message: str) -> None:
    """Another machine or name, or a search path."""
    assert [f"soname: {message}"] == good.with_library(**change).messages()


def test_missing_overrides_are_named(good: Case) -> None:
    """A program would allocate with two allocators."""
    (message,) = good.with_library(exports=EXPORTS - {"malloc", "_Znwm"}).messages()
    expected = "the 3 symbols of the package's overrides"
    assert (
        f"exports: symbols of {LIBRARY}: expected {expected}, got without malloc, _Znwm" == message
    )


@pytest.mark.parametrize("names", [("vfree",), ("_mi_free", "malloc_size"), ("xmi_free",)])
def test_names_of_programs_are_found(good: Case, names: tuple[str, ...]) -> None:
    """A program's own function of that name would be replaced."""
    (message,) = good.with_library(exports=EXPORTS.union(names)).messages()
    expected = "only those of the package's overrides and exports"
    got = f"also {', '.join(names)}"
    assert f"exports: symbols of {LIBRARY}: expected {expected}, got {got}" == message


def test_names_beside_the_overrides_may_be_defined(good: Case) -> None:
    """Patterns and whole names of the package's exports."""
    assert [] == good.with_library(exports=EXPORTS | {"mi_zalloc", "strdup"}).messages()


HOOKS = "__malloc_hook, __free_hook"


@pytest.mark.parametrize(
    ("missing", "got"),
    [
        ({"__malloc_hook"}, "__free_hook"),
        ({"__free_hook"}, "__malloc_hook"),
        ({"__malloc_hook", "__free_hook"}, "none"),
    ],
)
def test_a_missing_hook_is_found(good: Case, missing: set[str], got: str) -> None:
    """PHP would free with the C library what comes from mimalloc."""
    (message,) = good.with_library(exports=EXPORTS - missing).messages()
    assert f"hooks: malloc hooks in {LIBRARY}: expected {HOOKS}, got {got}" == message


@pytest.mark.parametrize("glibc", ["2.34", "2.39", "3.0"])
def test_hooks_without_a_use_are_found(good: Case, glibc: str) -> None:
    """The C library of newer dists has none; without them the library is good."""
    newer = good.with_root(glibc=glibc)
    (message,) = newer.messages()
    assert f"hooks: malloc hooks in {LIBRARY}: expected none, got {HOOKS}" == message
    assert [] == newer.with_library(exports=EXPORTS - set(HOOKS.split(", "))).messages()


@pytest.mark.parametrize("missing", ["relro", "bind-now", "cet"])
def test_a_missing_trait_is_named(good: Case, missing: str) -> None:
    """What the dist demands everywhere, and what it demands on this machine."""
    there = frozenset({"relro", "bind-now", "cet"} - {missing})
    (message,) = good.with_library(hardening=there).messages()
    expected = f"expected relro, bind-now, cet, got without {missing}"
    assert f"hardening: {LIBRARY}: {expected}" == message


def test_all_missing_traits_are_named(good: Case) -> None:
    """In the order in which they are demanded."""
    (message,) = good.with_library(hardening=frozenset({"bind-now"})).messages()
    assert message.endswith("got without relro, cet")


def test_a_trait_too_many_is_no_finding(good: Case) -> None:
    """Harder than demanded is fine."""
    assert good.facts.library is not None
    more = good.facts.library.hardening | {"fortify"}
    assert [] == good.with_library(hardening=more).findings()


@pytest.mark.parametrize(
    ("group", "counts", "got"),
    [
        ("avx2", {"vpaddd": 12, "vpand": 3}, "vpaddd (12), vpand (3)"),
        ("bmi", {"tzcnt": 5, "andn": 2}, "andn (2)"),
        ("undecoded", {".byte": 4}, ".byte (4)"),
        ("", {"tzcnt": 4, "pshufb": 1, "cmpxchg16b": 2}, "cmpxchg16b (2)"),
        ("", {"lock cmpxchg16b": 1}, "lock cmpxchg16b (1)"),
        ("", {"ldaddal": 1, "ldar": 8}, "ldaddal (1)"),
        ("sha", dict.fromkeys("gfedcba", 1), "a (1), b (1), c (1), d (1), e (1), 2 more"),
        ("sha", {"a": 1, "b": 3, "c": 2}, "b (3), c (2), a (1)"),
    ],
)
def test_an_instruction_that_processors_lack_is_named(
    good: Case, group: str, counts: dict[str, int], got: str
) -> None:
    """The finding has group, instruction and count; harmless ones do not count."""
    (message,) = good.with_library(instructions={group: counts}).messages()
    subject = f"instructions of {group or 'no group'} in libmimalloc.so.1.2"
    expected = "only those of x86-64: mode64, sse2, base"
    assert f"instructions: {subject}: expected {expected}, got {got}" == message


def test_an_instruction_of_several_groups_needs_one_of_them(good: Case) -> None:
    """The patterns of two groups match popcnt; the level has one of them."""
    assert [] == good.with_library(instructions={"": {"popcnt": 2}}).messages()


@pytest.mark.parametrize("alignment", [65536, 131072])
def test_segments_suit_the_largest_page(good: Case, alignment: int) -> None:
    """As large as a page of the dist's kernels, or a multiple of it."""
    assert [] == good.with_page(65536).with_library(load_alignment=alignment).messages()


@pytest.mark.parametrize("alignment", [0, 4096, 32768, 65537, 98304])
def test_segments_that_a_kernel_cannot_map_are_found(good: Case, alignment: int) -> None:
    """Too small for its pages, or no multiple of them."""
    (message,) = good.with_page(65536).with_library(load_alignment=alignment).messages()
    expected = f"expected a multiple of 65536 bytes, got {alignment} bytes"
    assert f"pages: alignment of the segments of {LIBRARY}: {expected}" == message


def test_large_thread_local_storage_is_found(good: Case) -> None:
    """The ceiling itself is allowed."""
    (message,) = good.with_library(tls=257).messages()
    expected = "expected 256 bytes or less, got 257 bytes"
    assert f"tls: thread-local storage of {LIBRARY}: {expected}" == message


def test_a_dynamic_model_is_found(good: Case) -> None:
    """However small the storage is."""
    (message,) = good.with_library(tls=1, static_tls=False).messages()
    expected = "expected the initial-exec model, got a dynamic model"
    assert f"tls: thread-local storage of {LIBRARY}: {expected}" == message


def test_debug_sections_are_named(good: Case) -> None:
    """They hold paths of the building host, and are of use to nobody who has not built it."""
    (message,) = good.with_library(leftovers=(".symtab", ".debug_info")).messages()
    expected = "expected no debug sections, got .symtab, .debug_info"
    assert f"stripped: sections of {LIBRARY}: {expected}" == message
