"""The allocators that are compared: ours, plain builds of the same releases, and the host's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.settings import Library
from benchmarks.silent import Silent
from pipeline.build import make, selection
from pipeline.config.allocators import HostAllocator, on_host
from pipeline.inspect import payload
from pipeline.model import Flags, Plan
from pipeline.model.errors import CompileError, FetchError, HostError, SmokeError
from pipeline.smoke import preload, proofs
from pipeline.system import process
from pipeline.system.workspace import Workspace
from pipeline.toolchain import cmake

C_LIBRARY = "glibc"
OURS, PLAIN, POINTERS = "package", "plain build", "with frame pointers"

# What a program surely asks its allocator for.
_ASKED = ("free", "malloc")
_C_LIBRARY = "libc.so.6"


@dataclass(frozen=True, slots=True)
class Allocator:
    """Something to run programs on; ``library`` is None for the C library's own."""

    name: str
    library: Path | None = None


def gather(
    chosen: Library,
    rivals: tuple[HostAllocator, ...],
    arch: str,
    workspace: Workspace,
    folder: Path,
) -> tuple[list[Allocator], dict[str, str]]:
    """The allocators that are at hand, the C library's first, and why others are not."""
    found, missing = [Allocator(C_LIBRARY)], dict[str, str]()
    for release in chosen.releases:
        plan = selection.plan(workspace.root, release, chosen.dist, arch)
        try:
            found += _of_release(plan, chosen, workspace, folder)
        except FetchError as problem:
            missing[f"mimalloc {release}"] = problem.what
        if not shutil.which(chosen.plain):
            missing[named(release, PLAIN)] = f"no {chosen.plain} on this host"
    for rival in rivals:
        try:
            found.append(Allocator(rival.name, on_host(rival.library)))
        except HostError as problem:
            missing[rival.name] = f"{problem.what}; in package {rival.package}"
    return found, missing


def named(release: str, kind: str) -> str:
    """The name of a library of a release."""
    return f"{release} {kind}"


def proven(allocator: Allocator, program: tuple[str, ...], traces: Path) -> str:
    """The file that a program's malloc and free come from, as the loader tells it.

    Raises SmokeError where that is not the allocator's own.
    """
    traces.mkdir(parents=True)
    env = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(traces / "of")}
    env |= {"LD_PRELOAD": str(allocator.library)} if allocator.library else {}
    code, _, complaint = process.attempt(program, env=env)
    trace = "\n".join(preload.loader_output(traces).values())
    subject = preload.Subject(allocator.library or _c_library(trace), 0)
    claims = [
        proofs.bound(Path(program[0]).name, trace, subject, _ASKED),
        proofs.accepted(complaint),
        proofs.Claim("exit code", "0", str(code)),
    ]
    broken = [claim for claim in claims if not claim.holds]
    if broken:
        detail = "\n".join(claim.line() for claim in broken)
        raise SmokeError(
            f"programs do not run on {allocator.name}", detail=detail, file=subject.library
        )
    return str(subject.library)


def _c_library(trace: str) -> Path:
    """The C library by the name that the loader has for it; it may differ from the kernel's."""
    files = {file for pairs in proofs.bindings(trace).values() for _, file in pairs}
    return next((Path(file) for file in files if Path(file).name == _C_LIBRARY), Path(_C_LIBRARY))


def _of_release(
    plan: Plan, chosen: Library, workspace: Workspace, folder: Path
) -> Iterator[Allocator]:
    """The library of our package, the same with frame pointers, and a plain build."""
    silent, release = Silent(), plan.recipe.version
    built = make.package(plan, workspace, silent)
    files = payload.unpack(built.rpm, folder / f"package-{release}")
    yield Allocator(named(release, OURS), payload.place(files, plan.library))
    flags = plan.compiler.flags
    kept = Flags((*flags.compile, chosen.pointers), flags.link)
    variant = replace(plan, compiler=replace(plan.compiler, flags=kept))
    room = make.step(variant, workspace, silent, "stage", offline=False)
    stage = make.step_dirs(variant, workspace).stage.relative_to(room)
    yield Allocator(named(release, POINTERS), payload.place(room / stage, plan.library))
    if shutil.which(chosen.plain):
        tree = make.step_dirs(plan, workspace).patched
        yield Allocator(named(release, PLAIN), plain(plan, chosen.plain, tree, folder))


def plain(plan: Plan, compiler: str, tree: Path, folder: Path) -> Path:
    """The library as an administrator would build it: upstream's flags, the host's compiler.

    The options of the recipe hold, so that it is the same library but for flags and compiler.
    """
    target = folder / f"plain-{plan.recipe.version}"
    log = folder / f"plain-{plan.recipe.version}.log"
    options: Mapping[str, str] = {
        **plan.package.cmake,
        **plan.recipe.cmake,
        # Only the shared library is run.
        "MI_BUILD_STATIC": "OFF",
        "MI_BUILD_OBJECT": "OFF",
        "CMAKE_C_COMPILER": compiler,
        "CMAKE_MAKE_PROGRAM": str(cmake.ninja()),
    }
    given = [f"-D{name}={value}" for name, value in options.items()]
    what = f"{compiler} cannot build mimalloc {plan.recipe.version}"
    steps: tuple[list[str | Path], ...] = (
        [cmake.program(), "-G", "Ninja", "-S", tree, "-B", target, *given],
        [cmake.ninja(), "-C", target],
    )
    for argv in steps:
        process.run(argv, log=log, error=CompileError, what=what)
    return target / plan.recipe.library
