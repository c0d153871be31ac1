"""The libraries of a release: our package's, and a plain build of the same tree."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.settings import Library
from pipeline.build import make, selection
from pipeline.compare.allocators import Allocator
from pipeline.inspect import payload
from pipeline.model import Plan
from pipeline.model.errors import CompileError, FetchError
from pipeline.system import process
from pipeline.system.report import QuietReport
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

PACKAGE, PLAIN = "package", "plain build"


def gather(
    settings: Library, arch: str, workspace: Workspace, folder: Path
) -> tuple[list[Allocator], dict[str, str]]:
    """The libraries of all releases, and why others are missing, by name."""
    allocators, missing = list[Allocator](), dict[str, str]()
    for release in settings.releases:
        plan = selection.plan(workspace.root, release, settings.dist, arch)
        try:
            allocators += _of_release(plan, settings, workspace, folder)
        except FetchError as problem:
            missing[f"mimalloc {release}"] = problem.what
        if not shutil.which(settings.plain):
            missing[f"{release} {PLAIN}"] = f"no {settings.plain} on this host"
    return allocators, missing


def _of_release(
    plan: Plan, settings: Library, workspace: Workspace, folder: Path
) -> Iterator[Allocator]:
    release = plan.recipe.version
    built = make.package(plan, workspace, QuietReport())
    files = payload.unpack(built.rpm, folder / f"package-{release}")
    yield Allocator(f"{release} {PACKAGE}", payload.place(files, plan.library), ours=True)
    if shutil.which(settings.plain):
        tree = make.step_dirs(plan, workspace).patched
        library = _plain(plan, settings.plain, tree, folder / f"plain-{release}")
        yield Allocator(f"{release} {PLAIN}", library)


def _plain(plan: Plan, host_compiler: str, tree: Path, target: Path) -> Path:
    """The library as an administrator would build it: upstream's flags, the host's compiler.

    It has the recipe's options, and so is the same library but for flags and compiler.
    """
    options = {
        **plan.package.cmake,
        **plan.recipe.cmake,
        # Only the shared library is run.
        "MI_BUILD_STATIC": "OFF",
        "MI_BUILD_OBJECT": "OFF",
        "CMAKE_C_COMPILER": host_compiler,
        "CMAKE_MAKE_PROGRAM": str(compiler.program("ninja")),
    }
    words = [f"-D{name}={value}" for name, value in options.items()]
    commands: tuple[list[str | Path], ...] = (
        [compiler.program("cmake"), "-G", "Ninja", "-S", tree, "-B", target, *words],
        [compiler.program("ninja"), "-C", target],
    )
    for argv in commands:
        process.run(
            argv,
            log=target.with_name(f"{target.name}.log"),
            error=CompileError(f"{host_compiler} cannot build mimalloc {plan.recipe.version}"),
        )
    return target / plan.recipe.library
