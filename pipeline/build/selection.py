"""What the user selects, as plans: defaults, comma lists and ``all``, every name looked up."""

import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import load
from pipeline.model import PLAIN, Compiler, Machine, Plan, Processor
from pipeline.model.errors import RecipeError, RequestError
from pipeline.sources import user

EVERY = "all"
_ZIG = "zig"


@dataclass(frozen=True, slots=True)
class Selection:
    """The packages that the user means, in the words of the command line.

    All but ``toolchain`` and ``source`` may be comma lists or ``all``. Empty is the default: that
    of ``recipes/package.toml``, this host's architecture, the plain flavor, the pinned sources.
    """

    version: str = ""
    dist: str = ""
    arch: str = ""
    flavor: str = ""
    toolchain: str = _ZIG
    source: str = ""


ALL = Selection(EVERY, EVERY, EVERY, EVERY)


def plans(root: Path, selection: Selection) -> list[Plan]:
    """The plans of a selection, by version, dist, architecture and flavor.

    Raises RequestError for an unknown name.
    """
    package = load.package(root)
    versions = _names("version", selection.version or package.default.version, load.versions(root))
    dists = _names("dist", selection.dist or package.default.dist, load.dists(root))
    flavors = _names("flavor", selection.flavor or PLAIN, package.flavor)
    if selection.source and len(versions) > 1:
        raise RequestError(
            "--source is of one release", expected="one version", got=", ".join(versions)
        )
    return [
        _plan(root, replace(selection, version=version, dist=dist, arch=arch, flavor=flavor))
        for version in versions
        for dist in dists
        for arch in _architectures(root, dist, selection)
        for flavor in flavors
    ]


def plan(root: Path, version: str, dist: str, arch: str, flavor: str = PLAIN) -> Plan:
    """One plan, of pinned sources. Raises RequestError for a name that is none, also for a list."""
    return _plan(root, Selection(version, dist, arch, flavor))


def one(root: Path, selection: Selection, what: str) -> Plan:
    """The one plan of a selection. Raises RequestError with ``what`` where there are several."""
    chosen = plans(root, selection)
    if len(chosen) > 1:
        got = ", ".join(each.label for each in chosen)
        raise RequestError(what, expected="one package", got=got)
    return chosen[0]


def _plan(root: Path, selection: Selection) -> Plan:
    """The plan of a selection of one package. RecipeError is raised for unusable data."""
    version = load.known("version", selection.version, load.versions(root))
    dist = load.known("dist", selection.dist, load.dists(root))
    package, build_root = load.package(root), load.build_root(root, dist)
    arch = load.known("arch", selection.arch, build_root.machine)
    machine = build_root.machine[arch]
    processor = load.processor(root, machine.processor or arch)
    source, variant = selection.source, load.known("flavor", selection.flavor, package.flavor)
    return Plan(
        package=package,
        recipe=load.recipe(root, version),
        root=build_root,
        arch=arch,
        processor=processor,
        isa=processor.isa(machine.isa),
        compiler=_compiler(root, selection, machine, processor),
        flavor=package.flavor[variant],
        variant=variant,
        user_source=user.user_source(source, version, package) if source else None,
    )


def _compiler(root: Path, selection: Selection, machine: Machine, processor: Processor) -> Compiler:
    """The compiler that is selected, where it makes code for the machine."""
    name = load.known("toolchain", selection.toolchain, load.toolchains(root))
    compiler = load.compiler(root, name)
    if machine.isa not in compiler.isa:
        raise RecipeError(
            f"toolchain {name} has no flags for {selection.dist} {selection.arch}",
            expected=f"{machine.isa} in [isa]",
            got=", ".join(compiler.isa),
            file=root / "buildroot" / "toolchains" / f"{name}.toml",
            hint="add it there",
        )
    if not compiler.target and processor.name != platform.machine():
        raise RequestError(
            "the native toolchain builds for this machine only",
            expected=platform.machine(),
            got=processor.name,
            hint="leave out --toolchain",
        )
    return compiler


def named(root: Path, name: str, version: str, release: str, arch: str) -> Plan:
    """The plan of a package, by what its header says. Raises RequestError for one of no recipe.

    A sub-package is of no machine, and the same with the package of each: it stands for that of
    this host's, where the dist has it.
    """
    package = load.package(root)
    names, parts = dict[str, str](), set[str]()
    for variant, flavor in package.flavor.items():
        own = f"{package.name}{flavor.suffix}"
        names[own] = variant
        if flavor.subpackage:
            names[f"{own}{flavor.subpackage.suffix}"] = variant
            parts.add(f"{own}{flavor.subpackage.suffix}")
    variant = names[load.known("package", name, names)]
    number, _, dist = release.partition(".")
    if name in parts:
        build_root = load.build_root(root, load.known("dist", dist, load.dists(root)))
        here = platform.machine()
        arch = here if here in build_root.machine else next(iter(build_root.machine))
    found = plan(root, version, dist, arch, variant)
    if number != str(found.recipe.release):
        raise RequestError(
            f"the recipe of {version} is at another release",
            expected=str(found.recipe.release),
            got=number,
            hint="git log: an older state of this project has made it",
        )
    return found


def _architectures(root: Path, dist: str, selection: Selection) -> list[str]:
    """The architectures of a dist that are meant; of every dist, those that it has."""
    machines, arch = load.build_root(root, dist).machine, selection.arch or platform.machine()
    if selection.dist != EVERY or arch == EVERY:
        return _names("arch", arch, machines)
    roots = (load.build_root(root, name) for name in load.dists(root))
    asked = _names("arch", arch, {name: None for each in roots for name in each.machine})
    return [name for name in asked if name in machines]


def _names(kind: str, asked: str, names: Iterable[str]) -> list[str]:
    names = list(names)
    if asked == EVERY:
        return names
    return list(dict.fromkeys(load.known(kind, name.strip(), names) for name in asked.split(",")))
