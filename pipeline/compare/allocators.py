"""The allocators that are compared: the C library's, ours, the host's and those of the user."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import selection
from pipeline.build.selection import EVERY
from pipeline.compare.settings import Request
from pipeline.config.allocators import ALLOCATORS, host_allocators, library_file
from pipeline.inspect import payload
from pipeline.model import PLAIN, Plan, Selection
from pipeline.model.errors import HostError, RequestError
from pipeline.system.workspace import Workspace
from pipeline.toolchain import emulator

C_LIBRARY = "glibc"

# The C library's allocator a second time: what differs between it and the first is noise.
CONTROL = "glibc again"

# A library with the settings of its sub-package, after the library's name.
TUNED = " -nginx"

_FORM = "NAME=PATH[,VARIABLE=VALUE...]"
_EXAMPLE = '--allocator "jemalloc 3.6.0=/path/jemalloc-3.6.0-1.el7.x86_64.rpm"'


@dataclass(frozen=True, slots=True)
class Allocator:
    """What a program runs on; ``library`` is None for the C library's own allocator.

    ``ours``: it is out of a package of this project. ``env`` are the variables that set it up.
    """

    name: str
    library: Path | None = None
    ours: bool = False
    env: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The environment that a program is started in."""
        preload = {"LD_PRELOAD": str(self.library)} if self.library else {}
        return {**preload, **self.env}


def gather(
    workspace: Workspace, folder: Path, request: Request, limit: int = 0
) -> tuple[list[Allocator], dict[str, str]]:
    """The allocators to compare, the C library's first; and why others are missing, by name.

    Of those that the user has not named there are at most ``limit``, where that is not 0.
    """
    named = [parse(text, folder) for text in request.allocators]
    host, missing = of_host(workspace.root)
    packages = _of_packages(workspace, folder, request.packages)
    others = [Allocator(C_LIBRARY), Allocator(CONTROL), *packages, *host]
    allocators = others[: limit or None] + named
    names = [allocator.name for allocator in allocators]
    duplicates = {name for name in names if names.count(name) > 1}
    if duplicates:
        raise RequestError("two allocators of one name", got=", ".join(sorted(duplicates)))
    return allocators, missing


def of_host(root: Path) -> tuple[list[Allocator], dict[str, str]]:
    """The host's allocators, and why others are missing, by name."""
    allocators, missing = list[Allocator](), dict[str, str]()
    for item in host_allocators(root):
        try:
            allocators.append(Allocator(item.name, library_file(item.library)))
        except HostError as problem:
            missing[item.name] = f"{problem.what}; in package {item.package}"
    return allocators, missing


def _of_packages(workspace: Workspace, folder: Path, packages: Selection) -> Iterator[Allocator]:
    """The libraries of the packages in ``dist/``, with the settings of the drop-in and without.

    Raises RequestError where there are none, or none of a version that the user has named.
    """
    version, flavor = packages.version, packages.flavor
    every = replace(packages, version=version or EVERY, flavor=flavor or EVERY)
    plans = selection.plans(workspace.root, every)
    built = [plan for plan in plans if placement.destination(plan, workspace).is_file()]

    def names(plans: list[Plan]) -> set[str]:
        # One flavor of a version is enough, unless the user has named that, too.
        return {f"{plan.recipe.version} {flavor and plan.variant}".strip() for plan in plans}

    missing = names(plans) - names(built) if version else set()
    if missing or not built:
        raise RequestError(
            "there is no package to compare yet",
            expected=f"{', '.join(sorted(missing)) or 'any'} for {plans[0].root.dist} "
            f"in {workspace.dist}",
            hint=f"invoke build --version {every.version} --dist {plans[0].root.dist}",
        )
    for plan in filter(emulator.runs_here, built):
        files = payload.unpack(placement.destination(plan, workspace), folder / plan.nevra)
        name = f"mimalloc {plan.recipe.version} {plan.variant}".removesuffix(f" {PLAIN}")
        allocator = Allocator(name, payload.place(files, plan.preload), ours=True)
        settings = [line for one in plan.subpackages for line in one.environment]
        if settings:
            env = dict(line.split("=", 1) for line in settings)
            yield replace(allocator, name=f"{name}{TUNED}", env=env)
        yield allocator


def parse(text: str, folder: Path) -> Allocator:
    """An allocator in the words of ``--allocator``. Raises RequestError where they are invalid.

    The path is that of a library, or of a package, which is unpacked into the folder. ``glibc`` is
    the C library's own allocator, for comparing settings of that.
    """
    name, equals, rest = text.partition("=")
    if not equals:
        what = "--allocator: a name comes before the path, for the listings"
        raise RequestError(what, expected=_FORM, got=text, hint=_EXAMPLE)
    path, *settings = rest.split(",")
    pairs = [setting.partition("=") for setting in settings]
    if not (name and path and all(variable and equals for variable, equals, _ in pairs)):
        raise RequestError("--allocator", expected=_FORM, got=text)
    env = {variable: value for variable, _, value in pairs}
    if path == C_LIBRARY:
        return Allocator(name, env=env)
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise RequestError(f"--allocator {name}: no such library", expected=_FORM, file=file)
    if file.suffix == ".rpm":
        file = _packed(file, folder / file.stem.replace(" ", "-"))  # LD_PRELOAD takes no blanks
    return Allocator(name, file, env=env)


def _packed(rpm: Path, folder: Path) -> Path:
    """The one allocator in a package. Raises RequestError where there is none, or another one."""
    files = payload.unpack(rpm, folder).rglob("lib*.so*")
    found = {file.resolve() for file in files if ALLOCATORS.match(file.name) and file.is_file()}
    if len(found) != 1:
        got = ", ".join(sorted(file.name for file in found)) or "none"
        what = "--allocator: a package of one allocator"
        raise RequestError(what, expected="one library", got=got, file=rpm)
    return found.pop()
