"""Real compilers, real rpmbuild: a package with one fault is caught by the check that is for it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import ziglang  # type: ignore[import-untyped]

from pipeline import checks, facts, recipes
from pipeline.model import Finding, Plan, Trial

ROOT = Path(__file__).parents[2]
ZIG = Path(ziglang.__file__).parent / "zig"
PLACE = "/home/builder/mimalloc"

# Stands in for mimalloc: every symbol that must be there, and what the hardening flags look for.
SOURCE = """
#include <string.h>
{exports}
static __thread char block[{tls}];
char *mi_block(int n) {{ return block + n; }}
void mi_copy(const char *from, unsigned n) {{
  char to[64];
  memcpy(to, from, n);
  __asm__ volatile("" :: "r"(to) : "memory");
}}
"""

AVX2 = """
typedef int lanes __attribute__((vector_size(32)));
void mi_add(lanes *a, const lanes *b) { *a += *b; }
"""
POPCNT = "int mi_count(unsigned long n) { return __builtin_popcountl(n); }"
SWAP = "long mi_swap(long *to, long n) { return __atomic_exchange_n(to, n, __ATOMIC_SEQ_CST); }"
# Both moved into libc.so.6 with 2.34, under a new version.
THREAD = """
int pthread_kill(unsigned long, int);
int mi_kill(unsigned long thread) { return pthread_kill(thread, 0); }
"""
COSINE = "double cos(double); double mi_cos(double x) { return cos(x); }"
NOWHERE = "void mi_nowhere(void); void mi_somewhere(void) { mi_nowhere(); }"
PATH = f'const char *mi_place(void) {{ return "{PLACE}/src/init.c"; }}'
TEXT_RELOCATION = """
__asm__(".text\\n.globl mi_table\\nmi_table: .quad mi_block\\n");
"""
WRITABLE_CODE = """
__asm__(".section .wx,\\"awx\\",@progbits\\n.globl mi_wx\\nmi_wx: ret\\n");
"""

SPEC = """
Name: {plan.package.name}
Version: {plan.recipe.version}
Release: {plan.release}
Summary: {summary}
License: {plan.package.license}
URL: {plan.package.url}
Vendor: {plan.package.vendor}
Packager: {plan.package.packager}
Requires: {plan.recipe.soname}()(64bit)
Provides: {plan.recipe.soname}()(64bit)
{tags}
%description
{description}
%install
cp -a {stage}/. "$RPM_BUILD_ROOT"
{scriptlets}
%files
%defattr(-,root,root,-)
{prefix}
%changelog
* {day} {plan.package.packager} - {plan.recipe.version}-{plan.recipe.release}
{notes}
"""

PKG_CONFIG = """prefix={plan.package.prefix}
libdir=${{prefix}}/{plan.package.libdir}

Name: libmimalloc
Description: stands in for mimalloc
Version: {plan.recipe.version}
Libs: -L${{libdir}} -lmimalloc
Libs.private: {private}
"""


@dataclass(frozen=True)
class Fault:
    """What one package does differently."""

    code: str = ""
    compile: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    isa: tuple[str, ...] | None = None
    glibc: str = ""
    tls: int = 8
    hidden: tuple[str, ...] = ()
    private: str = "-lpthread"
    tags: str = ""
    scriptlets: str = ""
    macros: Mapping[str, str] = field(default_factory=dict)
    spoil: Callable[[Path], object] = lambda _: None


def planned(dist: str) -> Plan:
    """What the real recipes and build roots demand of the default release."""
    package = recipes.package(ROOT)
    return Plan(
        package=package,
        recipe=recipes.recipe(ROOT, package.default.version),
        root=recipes.build_root(ROOT, dist),
        arch="x86_64",
        compiler=recipes.compiler(ROOT, "zig"),
        isa=recipes.isa(ROOT, "x86_64", "x86-64"),
    )


def stage(plan: Plan, fault: Fault, work: Path) -> Path:
    """Compile the stand-in and lay it out as an installation."""
    root = work / "stage"
    libraries = root / str(plan.package.libraries).lstrip("/")
    (libraries / "pkgconfig").mkdir(parents=True)
    names = [name for name in plan.package.overrides if name not in fault.hidden]
    defined = "\n".join(f"void {name}(void) {{}}" for name in names)
    source = work / "fake.c"
    source.write_text(SOURCE.format(exports=defined, tls=fault.tls) + fault.code)
    target = plan.compiler.target.format(arch=plan.arch, glibc=fault.glibc or plan.root.glibc)
    isa = plan.compiler.isa[plan.machine.isa] if fault.isa is None else fault.isa
    parts = (plan.compiler.flags, plan.root.flags, plan.machine.flags)
    flags = [*isa, *(flag for part in parts for flag in (*part.compile, *part.link))]
    kept = [flag for flag in flags if flag not in fault.without]
    own = ["-fPIC", "-fno-builtin", "-w", "-ftls-model=initial-exec", *fault.compile, *fault.link]
    output = libraries / plan.recipe.library
    soname = f"-Wl,-soname,{plan.recipe.soname}"
    command = [ZIG, "cc", "-target", target, "-shared", soname, *kept, *own, source, "-o", output]
    subprocess.run([str(part) for part in command], check=True, cwd=work)
    for path, to in plan.links.items():
        (root / path.lstrip("/")).symlink_to(to)
    text = PKG_CONFIG.format(plan=plan, private=fault.private)
    (libraries / "pkgconfig" / "mimalloc.pc").write_text(text)
    for file in sorted(root.rglob("*")):
        if not file.is_symlink():
            file.chmod(0o755 if file.is_dir() or file == output else 0o644)
    fault.spoil(root)
    return root


def packaged(plan: Plan, fault: Fault, work: Path) -> Path:
    """The stand-in as an RPM."""
    change, version = plan.recipe.changelog[0], plan.recipe.version
    spec = work / "fake.spec"
    text = SPEC.format(
        plan=plan,
        summary=plan.package.summary.format(version=version),
        description=plan.package.description.format(version=version),
        stage=stage(plan, fault, work),
        prefix=plan.package.prefix,
        day=f"{change.date:%a %b %d %Y}",
        notes="\n".join(f"- {note}" for note in change.notes),
        tags=fault.tags,
        scriptlets=fault.scriptlets,
    )
    spec.write_text(text)
    own = {"_topdir": str(work / "top"), "_rpmdir": str(work), "dist": f".{plan.root.dist}"}
    # This host's generators would add what the dist's own do not.
    own |= {"__pkgconfig_provides": "%{nil}", "__pkgconfig_requires": "%{nil}"}
    macros = {**plan.package.macros, **plan.root.rpm.macros, **own, **fault.macros}
    defines = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    epoch = str(int(plan.recipe.released.timestamp()))
    environment = {"HOME": str(work), "PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": epoch}
    command = ["rpmbuild", "-bb", "--target", plan.arch, *defines, spec]
    subprocess.run(
        [str(part) for part in command], check=True, cwd=work, env=environment, capture_output=True
    )
    return next(work.glob("*.rpm"))


def judged(plan: Plan, fault: Fault, work: Path) -> list[Finding]:
    """What is wrong with the stand-in, the manifest and the trials apart."""
    rpm = packaged(plan, fault, work)
    found = facts.read(rpm, work / "scratch", library=plan.library, needles=[PLACE])
    tried = replace(found, trials=(Trial("loads", True, ""),))
    return checks.judge(tried, plan, tried.listing)


@pytest.mark.parametrize("dist", ["el7", "el8"])
def test_nothing_is_wrong_with_the_stand_in(dist: str, tmp_path: Path) -> None:
    """Without a fault there is no finding, so each finding below is due to its fault."""
    assert judged(planned(dist), Fault(), tmp_path) == []


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
    "a path of the host": (Fault(PATH), {"traces": PLACE}),
    "not stripped": (Fault(without=("-s",)), {"stripped": ".symtab"}),
    "a search path": (Fault(link=("-Wl,-rpath,/opt/lib",)), {"soname": "/opt/lib"}),
    "malloc left to the C library": (Fault(hidden=("malloc",)), {"exports": "without malloc"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_library_is_caught(name: str, tmp_path: Path) -> None:
    """The check that is for the fault names it, and no other check speaks."""
    fault, expected = FAULTS[name]
    found = judged(planned("el8"), fault, tmp_path)
    assert {finding.check for finding in found} == set(expected)
    for check, words in expected.items():
        told = [line for finding in found if finding.check == check for line in finding.lines()]
        assert words in "\n".join(told)
