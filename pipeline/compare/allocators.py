"""The allocators that nginx is compared on: the C library's, all built ones of ours, the host's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.compare.settings import Request
from pipeline.config import allocators as host
from pipeline.inspect import payload
from pipeline.model import PLAIN, Plan
from pipeline.model.errors import HostError, RequestError
from pipeline.system.workspace import Workspace
from pipeline.toolchain import emulator

C_LIBRARY = "glibc"

# The C library's a second time: what differs between it and the first is noise.
CONTROL = "glibc again"

OURS, HOSTS, GIVEN = "ours", "host", "given"


@dataclass(frozen=True, slots=True)
class Allocator:
    """Something to run nginx on; ``library`` is None for the C library's own.

    ``kind`` is where it comes from, ``env`` what it is told by variables.
    """

    name: str
    library: Path | None = None
    kind: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The environment that nginx is started in."""
        preloaded = {"LD_PRELOAD": str(self.library)} if self.library else {}
        return {**preloaded, **self.env}


def gather(
    place: Workspace, folder: Path, request: Request
) -> tuple[list[Allocator], dict[str, str]]:
    """The allocators that are at hand, the C library's first, and why others are not."""
    found, missing = [Allocator(C_LIBRARY), Allocator(CONTROL)], dict[str, str]()
    found += _ours(place, folder, request.packages)
    for known in host.known(place.root):
        try:
            file = host.on_host(known.library)
            found.append(Allocator(known.name, file, HOSTS))
        except HostError as problem:
            missing[known.name] = f"{problem.what}; in package {known.package}"
    found += [_given(text) for text in request.allocators]
    names = [each.name for each in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RequestError("two allocators of one name", got=", ".join(sorted(twice)))
    return found, missing


def _ours(place: Workspace, folder: Path, chosen: Selection) -> Iterator[Allocator]:
    """The libraries of the packages in ``dist/``; those of the versions asked for must be there.

    Raises RequestError where there are none.
    """
    every = selection.EVERY
    version, flavor = chosen.version, chosen.flavor
    wanted = replace(chosen, version=version or every, flavor=flavor or every)
    plans = selection.plans(place.root, wanted)
    there = [plan for plan in plans if placement.destination(plan, place).is_file()]
    # Of a version that is asked for one flavor is enough, unless that is asked for, too.
    found = {(plan.recipe.version, flavor and plan.variant) for plan in there}
    asked = {(plan.recipe.version, flavor and plan.variant) for plan in plans} if version else set()
    if asked - found or not there:
        lacking = sorted(" ".join(filter(None, words)) for words in asked - found)
        raise RequestError(
            "there is no package to compare yet",
            expected=f"{', '.join(lacking) or 'any'} for {plans[0].root.dist} in {place.dist}",
            hint=f"invoke build --version {version or every} --dist {plans[0].root.dist}",
        )
    for plan in filter(emulator.runs_here, there):
        files = payload.unpack(placement.destination(plan, place), folder / plan.nevra)
        yield Allocator(_name(plan), payload.place(files, plan.preload), OURS)


def _name(plan: Plan) -> str:
    words = ("mimalloc", plan.recipe.version, *([] if plan.variant == PLAIN else [plan.variant]))
    return " ".join(words)


def _given(text: str) -> Allocator:
    """``NAME=PATH[,VARIABLE=VALUE...]``; an empty path is the C library's."""
    name, _, rest = text.partition("=")
    path, *settings = rest.split(",")
    pairs = [setting.partition("=") for setting in settings]
    if not name or not all(variable and equals for variable, equals, _ in pairs):
        raise RequestError("--allocator", expected="NAME=PATH[,VARIABLE=VALUE...]", got=text)
    file = Path(path).expanduser().absolute() if path else None
    if file and not file.is_file():
        raise RequestError(f"--allocator {name}: no such library", file=file)
    env = {variable: value for variable, _, value in pairs}
    return Allocator(name, file, GIVEN, env)
