"""A package with one fault, by real compilers and rpmbuild, is caught by the check for it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.checks import files
from pipeline.checks.package import check_package
from pipeline.inspect import package
from tests.build.conftest import SAMPLED
from tests.build.fake_package import HOST_PATH, Fault, build_rpm, facts_of, findings_of, plan_for

AVX2 = """
typedef int lanes __attribute__((vector_size(32)));
void mi_add(lanes *a, const lanes *b) { *a += *b; }
"""
AVX512 = """
typedef int lanes __attribute__((vector_size(64)));
void mi_add(lanes *a, const lanes *b) { *a += *b; }
"""
WIDE_FMA = """
typedef float wide __attribute__((vector_size(64)));
void mi_wide(wide *a, wide *b) { *a = __builtin_elementwise_fma(*a, *b, *b); }
"""
FMA = "float mi_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }\n"
SHIFT = "unsigned long mi_shift(unsigned long a, int n) { return a << n; }\n"
POPCNT = "int mi_count(unsigned long n) { return __builtin_popcountl(n); }"
SWAP = "long mi_swap(long *to, long n) { return __atomic_exchange_n(to, n, __ATOMIC_SEQ_CST); }"
# Both moved into libc.so.6 with 2.34, under a new version.
THREAD = """
int pthread_kill(unsigned long, int);
int mi_kill(unsigned long thread) { return pthread_kill(thread, 0); }
"""
COSINE = "double cos(double); double mi_cos(double x) { return cos(x); }"
NOWHERE = "void mi_nowhere(void); void mi_somewhere(void) { mi_nowhere(); }"
PATH = f'const char *mi_place(void) {{ return "{HOST_PATH}/src/init.c"; }}'
TEXT_RELOCATION = """
__asm__(".text\\n.globl mi_table\\nmi_table: .quad mi_block\\n");
"""
WRITABLE_CODE = """
__asm__(".section .wx,\\"awx\\",@progbits\\n.globl mi_wx\\nmi_wx: ret\\n");
"""


@pytest.mark.parametrize("flavor", ["plain", "secure"])
@pytest.mark.parametrize(("dist", "arch"), SAMPLED)
def test_the_fake_package_has_no_findings(
    dist: str, arch: str, flavor: str, tmp_path: Path
) -> None:
    """Without a fault there is no finding, so every finding below is due to its fault."""
    assert [] == findings_of(plan_for(dist, arch, flavor), Fault(), tmp_path)


FAULTS = {
    "avx2": (Fault(AVX2, isa=("-mcpu=haswell",)), {"instructions": "vpaddd (1)"}),
    "popcnt": (Fault(POPCNT, isa=("-mcpu=x86_64+popcnt",)), {"instructions": "popcnt (1)"}),
    "newer C library": (Fault(THREAD, glibc="2.34"), {"floor": "pthread_kill@GLIBC_2.34"}),
    "undefined": (Fault(NOWHERE, link=("-Wl,-z,undefs",)), {"floor": "mi_nowhere"}),
    "another library": (
        Fault(COSINE, link=("-lm",)),
        {"libraries": "libm.so.6", "requires": "libm.so.6()(64bit)"},
    ),
    "build files name libatomic": (
        Fault(private="-lpthread -latomic"),
        {"libraries": "-latomic"},
    ),
    "build files name a host path": (
        Fault(private="/usr/lib/libpthread.a"),
        {"libraries": "/usr/lib/libpthread.a"},
    ),
    "no stack protector": (
        Fault(without=("-fstack-protector-strong",), compile=("-fno-stack-protector",)),
        {"hardening": "without stack-protector"},
    ),
    "not fortified": (
        Fault(without=("-D_FORTIFY_SOURCE=2",), compile=("-U_FORTIFY_SOURCE",)),
        {"hardening": "without fortify"},
    ),
    "no control flow protection": (
        Fault(without=("-fcf-protection",)),
        {"hardening": "without cet"},
    ),
    "lazy binding": (
        Fault(without=("-Wl,-z,now",), link=("-Wl,-z,lazy",)),
        {"hardening": "without bind-now"},
    ),
    "large thread-local storage": (Fault(tls=256 << 10), {"tls": "262144 bytes"}),
    "dynamic thread-local storage": (
        Fault(compile=("-ftls-model=global-dynamic",)),
        {
            "tls": "the initial-exec model",
            "libraries": "ld-linux-x86-64.so.2",
            "requires": "ld-linux-x86-64.so.2()(64bit)",
        },
    ),
    "a path of the host": (Fault(PATH), {"host_names": HOST_PATH}),
    "not stripped": (Fault(without=("-s",)), {"stripped": ".symtab"}),
    "a search path": (Fault(link=("-Wl,-rpath,/opt/lib",)), {"soname": "/opt/lib"}),
    "malloc left to the C library": (Fault(hidden=("malloc",)), {"exports": "without malloc"}),
    "a function of a program's own name": (
        Fault("void vfree(void *p) {}"),
        {"exports": "also vfree"},
    ),
    "a hook left to the C library": (
        Fault(hidden=("__free_hook",)),
        {"hooks": "got __malloc_hook, __realloc_hook, __memalign_hook"},
    ),
}

LIBRARIES = "usr/local/nginx-dep/lib64"


def relinked(root: Path, to: str) -> None:
    """Give the link for linkers another target."""
    link = root / LIBRARIES / "libmimalloc.so"
    link.unlink()
    link.symlink_to(to)


FAULTS |= {
    "a private file": (
        Fault(spoil=lambda root: (root / LIBRARIES / "pkgconfig/mimalloc.pc").chmod(0o600)),
        {"modes": "expected 0644, got 0600"},
    ),
    "an old file": (
        Fault(spoil=lambda root: os.utime(root / LIBRARIES / "pkgconfig/mimalloc.pc", (1, 1))),
        {"modes": "got 1"},
    ),
    "an absolute link": (
        Fault(spoil=lambda root: relinked(root, f"/{LIBRARIES}/libmimalloc.so.3")),
        {"links": "a relative link"},
    ),
    "a dangling link": (
        Fault(spoil=lambda root: relinked(root, "libmimalloc.so.9")),
        {"links": "libmimalloc.so.9"},
    ),
    "a scriptlet": (
        Fault(scriptlets="%post -p /sbin/ldconfig"),
        {"scriptlets": "%post", "requires": "/sbin/ldconfig"},
    ),
    "a soname for others": (
        Fault(macros={"__provides_exclude": "none"}),
        {"metadata": "Provides: libmimalloc.so.3()(64bit)"},
    ),
    "the need of a soname": (
        Fault(tags="Requires: libmimalloc.so.3()(64bit)"),
        {"requires": "Requires: libmimalloc.so.3()(64bit)"},
    ),
    "a licence that is not marked": (Fault(license="{}"), {"license": "none"}),
    "an epoch": (Fault(tags="Epoch: 1"), {"metadata": "EPOCH"}),
    "a weak dependency": (Fault(tags="Recommends: nginx"), {"requires": "Recommends: nginx"}),
    "an obsolete": (Fault(tags="Obsoletes: jemalloc"), {"requires": "Obsoletes: jemalloc"}),
    "another payload": (
        Fault(macros={"_binary_payload": "w9.gzdio"}),
        {"features": "expected w9.xzdio, got w9.gzdio"},
    ),
    "a host's name": (
        Fault(macros={"_buildhost": "box"}),
        {"metadata": "expected reproducible.invalid, got box"},
    ),
    "the host's clock": (
        Fault(macros={"use_source_date_epoch_as_buildtime": "0"}),
        {"metadata": "BUILDTIME"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught(name: str, tmp_path: Path) -> None:
    """The check for the fault reports it, and no other check does."""
    fault, expected = FAULTS[name]
    findings = findings_of(plan_for("el8"), fault, tmp_path)
    assert set(expected) == {finding.check for finding in findings}
    for check, words in expected.items():
        reports = [finding for finding in findings if finding.check == check]
        assert words in "\n".join(line for finding in reports for line in finding.lines())


def test_a_zstd_payload_is_caught_for_el7(tmp_path: Path) -> None:
    """The rpm of el7 does not support zstd, so such a package cannot be installed there."""
    fault = Fault(macros={"_binary_payload": "w19.zstdio"})
    findings = findings_of(plan_for("el7"), fault, tmp_path)
    assert {"features"} == {finding.check for finding in findings}
    assert "rpmlib(PayloadIsZstd)" in findings[0].got


def test_a_hook_of_another_c_library_is_caught(tmp_path: Path) -> None:
    """From 2.34 on it has none, so the package is not what its build root says."""
    findings = findings_of(plan_for("el9"), Fault("void *__malloc_hook;"), tmp_path)
    assert [("hooks", "none", "__malloc_hook")] == [
        (finding.check, finding.expected, finding.got) for finding in findings
    ]


@pytest.mark.parametrize(
    ("code", "trait"),
    [(TEXT_RELOCATION, "no-text-relocations"), (WRITABLE_CODE, "code-not-writable")],
    ids=["text relocation", "writable code"],
)
def test_code_that_changes_is_caught(code: str, trait: str, tmp_path: Path) -> None:
    """Where a build root requires it, code that the loader or the program can write is refused."""
    plan = plan_for("el8")
    plan = replace(plan, root=replace(plan.root, hardening=(trait,)))
    findings = findings_of(plan, Fault(code, link=("-Wl,-z,notext",)), tmp_path)
    got = [finding.got for finding in findings if finding.check == "hardening"]
    assert [f"without {trait}"] == got


@pytest.mark.parametrize("dist", ["el7", "el10"])
def test_atomics_of_a_newer_arm_are_caught(dist: str, tmp_path: Path) -> None:
    """A library for armv8.1 stops with an illegal instruction on an armv8.0 processor."""
    plan = plan_for(dist, "aarch64")
    assert [] == findings_of(plan, Fault(SWAP), tmp_path / "good")
    findings = findings_of(plan, Fault(SWAP, isa=("-mcpu=generic+lse",)), tmp_path / "bad")
    assert [("instructions", "swpal (1)")] == [(finding.check, finding.got) for finding in findings]


def test_the_oldest_processor_of_el10_has_avx2_and_no_avx512(tmp_path: Path) -> None:
    """What is compiled for its level passes, with all that is new in it; AVX-512 does not."""
    plan = plan_for("el10")
    good = facts_of(plan, Fault(AVX2 + FMA + SHIFT), tmp_path / "good")
    assert good.library is not None
    instructions = {group: set(names) for group, names in good.library.instructions.items()}
    assert "vpaddd" in instructions["avx2"]
    assert "shlx" in instructions["bmi2"]
    assert any(name.startswith("vfmadd") for name in instructions[""])
    assert [] == check_package(good, plan, good.header.paths)

    # By default the compiler splits a long vector into two short ones.
    wide = Fault(AVX512, isa=("-mcpu=x86_64_v4",), compile=("-mprefer-vector-width=512",))
    findings = findings_of(plan, wide, tmp_path / "bad")
    assert {"instructions"} == {finding.check for finding in findings}
    assert any("avx512" in finding.subject for finding in findings)


def test_a_wide_form_of_what_el10_has_is_caught(tmp_path: Path) -> None:
    """FMA is allowed by its name, and its AVX-512 form has the same name."""
    wide = Fault(WIDE_FMA, isa=("-mcpu=x86_64_v4",), compile=("-mprefer-vector-width=512",))
    findings = findings_of(plan_for("el10"), wide, tmp_path)
    got = {finding.subject: finding.got for finding in findings}
    assert {"instructions"} == {finding.check for finding in findings}
    assert "vfmadd" in got["instructions of evex in libmimalloc.so.3.4"]


@pytest.mark.parametrize(
    ("code", "got"), [(AVX2, "vpaddd (1)"), (FMA, "vfmadd213ss (1)"), (SHIFT, "shlx (1)")]
)
@pytest.mark.parametrize(("dist", "arch"), [("el9", "x86_64"), ("el10", "x86_64_v2")])
def test_a_third_level_is_caught_where_the_second_is_required(
    dist: str, arch: str, code: str, got: str, tmp_path: Path
) -> None:
    """A package for older processors of el10 must not contain what only newer ones have."""
    plan = plan_for(dist, arch)
    assert [] == findings_of(plan, Fault(POPCNT), tmp_path / "good")
    findings = findings_of(plan, Fault(code, isa=("-mcpu=x86_64_v3",)), tmp_path / "bad")
    assert {"instructions"} == {finding.check for finding in findings}
    assert got in ", ".join(finding.got for finding in findings)


@pytest.mark.parametrize("dist", ["el7", "el10"])
@pytest.mark.parametrize("page", [4096, 16384])
def test_segments_for_small_pages_are_caught(dist: str, page: int, tmp_path: Path) -> None:
    """A kernel with pages of 64 KiB, as el7 and el8 have it on aarch64, cannot load the library."""
    plan = plan_for(dist, "aarch64")
    findings = findings_of(plan, Fault(link=(f"-Wl,-z,max-page-size={page}",)), tmp_path)
    assert [("pages", "a multiple of 65536 bytes", f"{page} bytes")] == [
        (finding.check, finding.expected, finding.got) for finding in findings
    ]


def test_a_plain_library_in_a_secure_package_is_caught(tmp_path: Path) -> None:
    """The loader would use it in place of the plain one, whose soname it has."""
    plan = plan_for("el8", flavor="secure")
    findings = findings_of(plan, Fault(soname=plan.recipe.soname), tmp_path)
    (wrong,) = findings
    assert "soname" == wrong.check
    assert ("libmimalloc-secure.so.3", "libmimalloc.so.3") == (wrong.expected, wrong.got)


def test_a_missing_file_is_caught(tmp_path: Path) -> None:
    """The finding shows the manifest's difference; build-id lines come from the library itself."""
    plan = plan_for("el8")
    rpm = build_rpm(plan, Fault(), tmp_path)
    facts = package.read(rpm, tmp_path / "scratch", library=plan.library)
    assert facts.library is not None
    identity = facts.library.build_id
    head, tail = identity[:2], identity[2:]
    folder = "/usr/lib/.build-id/"
    template = {
        f"{folder}{head}": f"{folder}{{build_id[:2]}}",
        f"{folder}{head}/{tail}": f"{folder}{{build_id[:2]}}/{{build_id[2:]}}",
    }
    assert set(template) <= set(facts.header.paths)
    manifest = tuple(template.get(line, line) for line in facts.header.paths)
    assert [] == list(files.manifest(facts, plan, manifest))
    (finding,) = files.manifest(facts, plan, (*manifest, "/usr/local/nginx-dep/more"))
    assert "-/usr/local/nginx-dep/more" in finding.got.splitlines()
