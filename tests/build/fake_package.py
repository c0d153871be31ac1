"""A fake package: built in half a second, with one fault if a test needs it."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.build import selection
from pipeline.checks.package import check_package
from pipeline.config import load
from pipeline.inspect import package
from pipeline.model import PLAIN, Facts, Finding, Plan, Trial
from pipeline.system import workspace
from pipeline.toolchain import compiler, rpmbuild
from tests.build.conftest import ROOT

HOST_PATH = "/home/builder/mimalloc"

# A library with every symbol that mimalloc must have, and with code for the hardening flags.
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

SPEC = """
Name: {plan.name}
Version: {plan.recipe.version}
Release: {plan.release}
Summary: {summary}
License: {plan.package.license}
URL: {plan.package.url}
{tags}
%description
{description}
%install
cp -a {stage}/. "$RPM_BUILD_ROOT"
%postun -p <lua>
posix.rmdir("{prefix}")
{scriptlets}
%files
%defattr(-,root,root,-)
{prefix}
%dir /usr/share/licenses/{plan.name}
{license}
%changelog
* {day} {plan.package.packager} - {plan.recipe.version}-{plan.recipe.release}
{notes}
"""

PKG_CONFIG = """prefix={plan.package.prefix}
libdir=${{prefix}}/{plan.package.libdir}

Name: libmimalloc
Description: fake
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
    soname: str = ""
    tls: int = 8
    hidden: tuple[str, ...] = ()
    private: str = "-lpthread"
    tags: str = ""
    scriptlets: str = ""
    license: str = "%license {}"
    macros: Mapping[str, str] = field(default_factory=dict)
    spoil: Callable[[Path], object] = lambda _: None


def plan_for(dist: str, arch: str = "x86_64", flavor: str = PLAIN) -> Plan:
    """The plan of the default release, of real recipes and build roots."""
    return selection.plan(ROOT, load.package(ROOT).default.version, dist, arch, flavor)


def stage(plan: Plan, fault: Fault, work: Path) -> Path:
    """Compile the library, and install it as mimalloc is."""
    root = work / "stage"
    libraries = root / str(plan.package.libraries).lstrip("/")
    (libraries / "pkgconfig").mkdir(parents=True)
    names = [name for name in (*plan.package.overrides, *plan.hooks) if name not in fault.hidden]
    defined = "\n".join(f"void {name}(void) {{}}" for name in names)
    source = work / "fake.c"
    source.write_text(SOURCE.format(exports=defined, tls=fault.tls) + fault.code)
    glibc = fault.glibc or plan.machine.floor or plan.root.glibc
    target = plan.compiler.target.format(processor=plan.processor.name, glibc=glibc)
    isa = plan.compiler.isa[plan.machine.isa] if fault.isa is None else fault.isa
    parts = (plan.compiler.flags, plan.root.flags, plan.machine.flags)
    flags = [*isa, *(flag for part in parts for flag in (*part.compile, *part.link))]
    used = [flag for flag in flags if flag not in fault.without]
    own = ["-fPIC", "-fno-builtin", "-w", "-ftls-model=initial-exec", *fault.compile, *fault.link]
    output = libraries / plan.library.name
    soname = f"-Wl,-soname,{fault.soname or plan.soname}"
    command = [
        compiler.program("zig"),
        "cc",
        "-target",
        target,
        *plan.compiler.options,
        "-shared",
        soname,
        *used,
        *own,
        source,
        "-o",
        output,
    ]
    environment = {**os.environ, **compiler.environment(plan, workspace.locate(ROOT))}
    subprocess.run([str(part) for part in command], check=True, cwd=work, env=environment)
    for path, to in plan.links.items():
        (root / path.lstrip("/")).symlink_to(to)
    text = PKG_CONFIG.format(plan=plan, private=fault.private)
    (libraries / "pkgconfig" / "mimalloc.pc").write_text(text)
    for file in sorted(root.rglob("*")):
        if not file.is_symlink():
            file.chmod(0o755 if file.is_dir() or file == output else 0o644)
    fault.spoil(root)
    licence = root / "usr" / "share" / "licenses" / plan.name / "LICENSE"
    licence.parent.mkdir(parents=True, mode=0o755)
    licence.write_text("MIT")
    licence.chmod(0o644)
    return root


def build_rpm(plan: Plan, fault: Fault, work: Path) -> Path:
    """The fake package as an RPM."""
    change = plan.recipe.changelog[0]
    spec = work / "fake.spec"
    text = SPEC.format(
        plan=plan,
        summary=plan.summary,
        description=plan.description,
        stage=stage(plan, fault, work),
        prefix=plan.package.prefix,
        license=fault.license.format(f"/usr/share/licenses/{plan.name}/LICENSE"),
        day=f"{change.date:%a %b %d %Y}",
        notes="\n".join(f"- {note}" for note in change.notes),
        tags=fault.tags,
        scriptlets=fault.scriptlets,
    )
    spec.write_text(text)
    own = {"_topdir": str(work / "top"), "_rpmdir": str(work), "dist": f".{plan.root.dist}"}
    own |= {"__provides_exclude": "^libmimalloc", "__requires_exclude": "^libmimalloc"}
    # The generators of this host would add what those of the dist do not.
    own |= {"__pkgconfig_provides": "%{nil}", "__pkgconfig_requires": "%{nil}"}
    macros = {**rpmbuild.settings(plan), **own, **fault.macros}
    defines = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    epoch = str(plan.recipe.moment)
    environment = {"HOME": str(work), "PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": epoch}
    output = subprocess.check_output(["rpm", "--eval", "%{_rpmconfigdir}"], text=True)
    config, more = output.strip(), work / "rpmrc"
    more.write_text(rpmbuild.architectures(plan))
    platform = f"{config}/platform/{plan.processor.name}-linux/macros"
    settings = ["--rcfile", f"{config}/rpmrc:{more}"]
    settings += ["--macros", f"{config}/macros:{platform}:{config}/fileattrs/*.attr"]
    command = ["rpmbuild", "-bb", *settings, "--target", plan.arch, *defines, spec]
    subprocess.run(
        [str(part) for part in command], check=True, cwd=work, env=environment, capture_output=True
    )
    return next(work.glob("*.rpm"))


def facts_of(plan: Plan, fault: Fault, work: Path) -> Facts:
    """The facts of the fake package, with a trial that has succeeded."""
    facts = package.read(
        build_rpm(plan, fault, work), work / "scratch", library=plan.library, names=[HOST_PATH]
    )
    return replace(facts, trials=(Trial("loads", True, ""),))


def findings_of(plan: Plan, fault: Fault, work: Path) -> list[Finding]:
    """The findings of the fake package, without those of manifest and trials."""
    facts = facts_of(plan, fault, work)
    return check_package(facts, plan, facts.header.paths)
