"""The probes of what the C library promises are right, and each finds an allocator that is not."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.model.errors import SmokeError
from pipeline.smoke import conformance, probe
from pipeline.smoke.conformance import Outcome
from pipeline.system import process, workspace
from pipeline.toolchain import compiler, emulator
from tests.build.conftest import ARCH, ROOT

Attempt = Callable[..., Outcome]

# NEXT is the C library's own function in a function that is preloaded.
PRELUDE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define NEXT(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))
#define MALLOC NEXT(void *, malloc, size_t)
#define CALLOC NEXT(void *, calloc, size_t, size_t)
#define REALLOC NEXT(void *, realloc, void *, size_t)
#define FREE real_free
#define MEMALIGN NEXT(void *, memalign, size_t, size_t)
#define ALIGNED_ALLOC NEXT(void *, aligned_alloc, size_t, size_t)
#define POSIX_MEMALIGN NEXT(int, posix_memalign, void **, size_t, size_t)
#define USABLE NEXT(size_t, malloc_usable_size, void *)
#define POWER(a) (((a) & ((a) - 1)) == 0)
static void real_free(void *p) {  // dlsym itself frees what an earlier one left behind
  static void (*next)(void *);
  static bool searching;
  if (!next && !searching) searching = true, next = NEXT(void, free, void *);
  if (next) next(p);
}
"""
# A block that begins 8 bytes later than it should; all that free and resize know of it.
LATER = """
static char *begin(void *p) { return (uintptr_t)p % 16 == 8 ? (char *)p - 8 : p; }
void *malloc(size_t n) {
  const size_t late = n > 99 && n < 200 ? 8 : 0;
  return (char *)MALLOC(n + late) + late;
}
void *realloc(void *p, size_t n) {
  if (p == NULL || begin(p) == p) return REALLOC(p, n);
  char *q = REALLOC(begin(p), n + 8);
  return q ? memmove(q, q + 8, n) : NULL;
}
void *reallocarray(void *p, size_t a, size_t b) {
  return a && b > SIZE_MAX / a ? (errno = ENOMEM, NULL) : realloc(p, a * b);
}
void *__libc_realloc(void *p, size_t n) { return realloc(p, n); }
size_t malloc_usable_size(void *p) { return USABLE(begin(p)) - (begin(p) == p ? 0 : 8); }
void free(void *p) { FREE(begin(p)); }
void cfree(void *p) { free(p); }
void __libc_free(void *p) { free(p); }
"""
# What breaks one rule only, and its name.
WRONG = {
    "main-errno": "__attribute__((constructor)) static void set(void) { errno = 22; }",
    "plain-names": "void vfree(void *p) { (void)p; }",
    "one-heap": "bool mi_is_in_heap_region(const void *p) { return p == NULL; }",
    "null": "size_t malloc_usable_size(void *p) { return p ? USABLE(p) : 8; }",
    "zero-size": "void *realloc(void *p, size_t n) { return p || n ? REALLOC(p, n) : NULL; }",
    "realloc-zero": "void *realloc(void *p, size_t n) { return p && !n ? NULL : REALLOC(p, n); }",
    "alignment": """void *memalign(size_t a, size_t n) {
        return a >= 4096 && a <= 65536 && POWER(a) ? MALLOC(n) : MEMALIGN(a, n); }""",
    "any-size": """void *aligned_alloc(size_t a, size_t n) {
        bool odd = a && a <= 1 << 20 && POWER(a) && n % a;
        return odd ? errno = ENOMEM, NULL : ALIGNED_ALLOC(a, n); }""",
    "large-alignment": """int posix_memalign(void **p, size_t a, size_t n) {
        return a > 1 << 20 && a <= 32 << 20 && POWER(a) ? ENOMEM : POSIX_MEMALIGN(p, a, n); }""",
    "huge-alignment": """int posix_memalign(void **p, size_t a, size_t n) {
        bool huge = a > 32 << 20 && a <= SIZE_MAX / 4 && POWER(a);
        return huge ? ENOMEM : POSIX_MEMALIGN(p, a, n); }""",
    "invalid-alignment": """void *memalign(size_t a, size_t n) {
        return POWER(a) ? MEMALIGN(a, n) : NULL; }""",
    "posix-memalign": """int posix_memalign(void **p, size_t a, size_t n) {
        int error = POSIX_MEMALIGN(p, a, n); if (error == EINVAL) *p = NULL; return error; }""",
    "posix-memalign-errno": """int posix_memalign(void **p, size_t a, size_t n) {
        int error = POSIX_MEMALIGN(p, a, n); if (error == 0) errno = EINVAL; return error; }""",
    "natural-alignment": LATER,
    "refusal": "void *malloc(size_t n) { return MALLOC(n > PTRDIFF_MAX ? 16 : n); }",
    "refusal-errno": """void *malloc(size_t n) {
        void *p = MALLOC(n); if (!p) errno = 0; return p; }""",
    "overflow": "void *calloc(size_t a, size_t b) { return CALLOC(1, a * b); }",
    "realloc-refused": """void *realloc(void *p, size_t n) {
        if (p && n > PTRDIFF_MAX) *(char *)p ^= 1; return REALLOC(p, n); }""",
    "free-errno": "void free(void *p) { FREE(p); if (p) errno = EINVAL; }",
    "calloc-zero": """void *calloc(size_t a, size_t b) { char *p = CALLOC(a, b);
        if (p && a == 1 && b > 999 && b < 1010) p[b - 1] = 1; return p; }""",
    "usable-size": """size_t malloc_usable_size(void *p) {
        size_t n = USABLE(p); return n < 5000 ? n : n / 2; }""",
    "neighbours": """void *malloc(size_t n) { static char *last; char *p = MALLOC(n);
        if (n == 106) { if (last) last[50] ^= 1; last = p; } return p; }""",
    "realloc-content": """void *realloc(void *p, size_t n) { char *q = REALLOC(p, n);
        if (p && q && n > 5000) q[99] ^= 1; return q; }""",
    "libc-blocks": """char *strndup(const char *text, size_t n) {
        char *p = NEXT(char *, strndup, const char *, size_t)(text, n);
        return p ? *p ^= 1, p : p; }""",
    "rezalloc-zero": """
        void *mi_zalloc_aligned(size_t n, size_t a) {
          void *p = MEMALIGN(a, n); return p ? memset(p, 0, n) : p; }
        void *mi_rezalloc_aligned(void *p, size_t n, size_t a) {
          char *q = MEMALIGN(a, n); memset(q, 1, n);
          size_t had = USABLE(p); memcpy(q, p, had < n ? had : n); FREE(p); return q; }""",
}
# It sets itself up in malloc only.
LATE = """static bool ready;
void *malloc(size_t n) { ready = true; return MALLOC(n); }
void free(void *p) { if (!p && !ready) abort(); FREE(p); }"""


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    """Runs a probe on the C library of this host, with a preloaded piece of C in front of it."""
    folder, place = tmp_path_factory.mktemp("probes"), workspace.locate(ROOT)
    plan = selection.plan(ROOT, "2.0.9", "el7", ARCH)

    def compiled(name: str, target: str, *arguments: str) -> Path:
        return probe.compiled(name, plan, place, folder / target, folder / "log", *arguments)

    program = compiled("conformance", "conformance")
    constructor = compiled("first_call", "first_call.so", "-shared", "-fPIC")
    source, library = folder / "wrong.c", folder / "wrong.so"

    def run(code: str, *arguments: str, first_call: bool = False) -> Outcome:
        source.write_text(PRELUDE + code)
        flags: list[str | Path] = [
            "-O1",
            "-fno-builtin",
            "-shared",
            "-fPIC",
            "-w",
            source,
            "-o",
            library,
            "-ldl",
        ]
        argv, environment = [*compiler.command(plan), *flags], compiler.environment(plan, place)
        process.run(argv, log=folder / "log", error=SmokeError("no shim"), env=environment)
        preload = f"{library}:{constructor}" if first_call else str(library)
        command = emulator.start([program, *arguments], {"LD_PRELOAD": preload})
        return Outcome(*process.attempt(command, timeout=60))

    return run


def violated(outcome: Outcome) -> list[str]:
    """The rules that a probe found violated."""
    return [rule for rule, (_, violations) in outcome.counts.items() if violations]


def test_the_c_library_keeps_its_own_promises(attempt: Attempt) -> None:
    """The expected values are right: tens of thousands of calls, and no violation."""
    outcome = attempt("")

    assert ([], 0) == (violated(outcome), outcome.code), outcome.errors
    assert 100_000 < sum(calls for calls, _ in outcome.counts.values())
    # These two need functions of mimalloc.
    assert {"one-heap", "rezalloc-zero"} == {r for r, (n, _) in outcome.counts.items() if n == 0}


def test_each_rule_has_an_allocator_that_breaks_it(attempt: Attempt) -> None:
    """So that none of them holds whatever happens."""
    assert set(WRONG) == set(attempt("").counts)


@pytest.mark.parametrize("rule", WRONG)
def test_the_rule_that_is_broken_is_named(attempt: Attempt, rule: str) -> None:
    """That one only, with its first violation."""
    outcome = attempt(WRONG[rule], *([conformance.ARGUMENT] if rule == "one-heap" else []))

    assert ([rule], 1) == (violated(outcome), outcome.code), outcome.errors
    assert f"conformance: {rule}: " in outcome.errors


def test_a_crash_is_a_violation_of_the_rule_that_was_tried(attempt: Attempt) -> None:
    """The counts are printed all the same, and later rules have none."""
    outcome = attempt("int posix_memalign(void **p, size_t a, size_t n) { abort(); }")

    assert -signal.SIGABRT == outcome.code
    assert "conformance: signal 6 after zero-size" in outcome.errors
    assert ["zero-size"] == violated(outcome)
    assert (0, 0) == outcome.counts["libc-blocks"]


def test_another_allocator_than_mimalloc_is_refused(attempt: Attempt) -> None:
    """A wrong path in LD_PRELOAD must not try the C library instead."""
    outcome = attempt("", conformance.ARGUMENT)

    assert (2, {}) == (outcome.code, outcome.counts)
    assert "not running on mimalloc" in outcome.errors


def test_first_calls_of_the_c_library(attempt: Attempt) -> None:
    """All its entry points can be called first."""
    trial = conformance.first_call({"preloaded": attempt("", first_call=True)})

    assert trial.passed, trial.output


def test_an_entry_point_that_cannot_be_called_first_is_named(attempt: Attempt) -> None:
    """An allocator that sets itself up in malloc only."""
    trial = conformance.first_call({"preloaded": attempt(LATE, first_call=True)})

    assert not trial.passed
    assert "preloaded: first-call: free, size 0: signal 6\n" in trial.output
    assert "violations 1\nexit code 1" in trial.output
