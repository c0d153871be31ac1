"""A library as upstream tagged it, without our patches: what tests must catch."""

import os
import subprocess
from pathlib import Path

from pipeline.build import make
from pipeline.model import Plan
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler
from tests.build.conftest import ROOT

_FLAGS = """-O2 -g0 -Wno-date-time -ftls-model=initial-exec -fvisibility=hidden -DNDEBUG
-DMI_MALLOC_OVERRIDE -DMI_SHARED_LIB -DMI_SHARED_LIB_EXPORT""".split()


def compiled(plan: Plan, folder: Path) -> Path:
    """Compile the release's one file that has all others, by the compiler of the plan."""
    target = folder / plan.soname
    source = next(make.step(plan, workspace.locate(ROOT), Report(), "unpack").rglob("src/static.c"))
    include, soname = source.parents[1] / "include", f"-Wl,-soname,{plan.soname}"
    compile_library(plan, source, target, *_FLAGS, "-I", include, soname)
    return target


def compile_library(plan: Plan, source: Path, target: Path, *flags: str | Path) -> None:
    """Compile a shared library of one file, by the compiler of the plan."""
    # Without -O, zig compiles a sanitizer's runtime first, which takes 20 seconds.
    options = ("-O1", "-g0", "-shared", "-fPIC", *flags)
    subprocess.run(
        [*compiler.command(plan), *options, source, "-o", target, "-lpthread"],
        check=True,
        env={**os.environ, **compiler.environment(plan, workspace.locate(ROOT))},
    )
