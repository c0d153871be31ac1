"""`invoke profile`: how often each place of a release's source runs, in programs that allocate.

The library is compiled to count, and preloaded into the workloads that are trained and into nginx
under the loads of `invoke compare`. What it counts is the profile: names of functions and numbers,
for the compiler of the packages (clang's manual: "Profile Guided Optimization").
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks import programs, settings, variants
from pipeline.build import make
from pipeline.compare import nginx
from pipeline.compare.allocators import Allocator
from pipeline.compare.settings import Request, requested
from pipeline.model import Plan, Selection
from pipeline.model.errors import CompileError, HostError
from pipeline.smoke import nginx as host_nginx
from pipeline.system import process
from pipeline.system.report import QuietReport, Report
from pipeline.system.temporary import temporary
from pipeline.system.workspace import Workspace
from pipeline.toolchain import cmake, compiler

# Every call counts, of whichever thread.
_COUNTING = ("-fprofile-instr-generate", "-fprofile-update=atomic")

_SECONDS = 4


def train(plan: Plan, place: Workspace, target: Path, report: Report) -> None:
    """Write the profile of a plan's release. Raises HostError where a tool is missing."""
    host_nginx.find()
    clang, merger = tools(plan)
    make.step(plan, place, QuietReport(), "patch")
    with temporary("profile") as folder:
        tree = make.step_dirs(plan, place).patched
        options = cmake.library_options(place.root, [*_COUNTING, "-O3"])
        options += [f"-DCMAKE_CXX_COMPILER={clang}", f"-DCMAKE_SHARED_LINKER_FLAGS={_COUNTING[0]}"]
        library = variants.built_by(clang, plan, tree, folder / "library", *options)
        # Processes add what they count to one file; by its %m, clang knows the library.
        env = {"LLVM_PROFILE_FILE": f"{folder}/%m.profraw"}
        allocator = Allocator(plan.label, library, env=env)
        chosen = [workload for workload in settings.load().workload if workload.trained]
        started, _ = programs.gather(chosen, plan, place, folder)
        for program in started:
            report.line(f"  {program.name}")
            code, _, errors = process.attempt(
                program.timed, env={**program.env, **allocator.variables()}
            )
            if code:
                raise CompileError(f"{program.name} fails on the library that counts", got=errors)
        _serve(allocator, folder, report)
        counted = sorted(folder.glob("*.profraw"))
        process.run(
            [merger, "merge", "--sparse", *counted, "-o", target],
            log=folder / "log",
            error=CompileError("the profile cannot be written"),
        )


def tools(plan: Plan) -> tuple[str, str]:
    """The host's clang and llvm-profdata, of the version of the compiler of the packages.

    That has no runtime to count with. Raises HostError where they are missing.
    """
    wanted = _version([*compiler.command(plan)[:2], "--version"])
    major, found = wanted.partition(".")[0], []
    for name in ("clang", "llvm-profdata"):
        paths = (path for each in (f"{name}-{major}", name) if (path := shutil.which(each)))
        found += [path for path in paths if _version([path, "--version"]) == wanted][:1]
    if len(found) < 2:
        raise HostError(
            "no clang on this host to make a profile with",
            expected=f"clang and llvm-profdata {wanted}, the version of the packages' compiler",
            hint=f"apt-get install clang-{major} llvm-{major} libclang-rt-{major}-dev",
        )
    return found[0], found[1]


def _version(argv: list[str]) -> str:
    _, output, _ = process.attempt(argv)  # an older llvm-profdata has no such option
    match = re.search(r"version (\d+\.\d+\.\d+)", output)
    return match[1] if match else ""


def _serve(allocator: Allocator, folder: Path, report: Report) -> None:
    """Run nginx on the library, under each load."""
    loads = replace(requested(Request(Selection())), sites=20)
    setup = nginx.Setup(host_nginx.find(), loads, folder / "content")
    nginx.create_content(setup.content)
    for load in loads.load:
        report.line(f"  nginx: {load.title}")
        with nginx.started(setup, allocator, folder / load.name) as server:
            nginx.attack(server, load, _SECONDS)
