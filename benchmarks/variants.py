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
from pipeline.toolchain import cmake, compiler

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
        library = built_by(settings.plain, plan, tree, folder / f"plain-{release}")
        yield Allocator(f"{release} {PLAIN}", library)


def built_by(program: str, plan: Plan, tree: Path, target: Path, *more: str) -> Path:
    """The shared library as an administrator would build it: the host's compiler, upstream's flags.

    It has the recipe's options, and so is the same library but for flags and compiler. ``more`` are
    further options of cmake.
    """
    options = {
        **plan.options,
        # Only the shared library is run.
        "MI_BUILD_STATIC": "OFF",
        "MI_BUILD_OBJECT": "OFF",
        "CMAKE_C_COMPILER": program,
    }
    words = [f"-D{name}={value}" for name, value in options.items()]
    commands: tuple[list[str | Path], ...] = (
        [*cmake.command(tree, target), *words, *more],
        [compiler.program("ninja"), "-C", target],
    )
    for argv in commands:
        process.run(
            argv,
            log=target.with_name(f"{target.name}.log"),
            error=CompileError(f"{program} cannot build mimalloc {plan.recipe.version}"),
        )
    return target / plan.library.name
