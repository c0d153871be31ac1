"""What the user asked for, as plans: defaults, comma lists and ``all``, every name looked up."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

from pipeline import origins, recipes
from pipeline.errors import RecipeError, RequestError
from pipeline.model import PLAIN, Plan

EVERY = "all"


def plans(
    root: Path,
    *,
    version: str | None = None,
    dist: str | None = None,
    arch: str | None = None,
    flavor: str | None = None,
    toolchain: str = "zig",
    source: str | None = None,
) -> list[Plan]:
    """The plans of a request; all but the last two may be comma lists or ``all``."""
    default = recipes.package(root).default
    versions = _names("version", version or default.version, recipes.versions(root))
    wanted = _names("dist", dist or default.dist, recipes.dists(root))
    flavors = _names("flavor", flavor or PLAIN, recipes.package(root).flavor)
    if source and len(versions) > 1:
        raise RequestError(
            "--source hands over one release", expected="one version", got=", ".join(versions)
        )
    return [
        plan(root, each, name, machine, variant, toolchain=toolchain, source=source)
        for each in versions
        for name in wanted
        for machine in _architectures(root, name, arch or platform.machine(), dist == EVERY)
        for variant in flavors
    ]


def plan(
    root: Path,
    version: str,
    dist: str,
    arch: str,
    flavor: str = PLAIN,
    *,
    toolchain: str = "zig",
    source: str | None = None,
) -> Plan:
    """One plan. Raises RequestError for an unknown name, RecipeError for unusable data."""
    package = recipes.package(root)
    recipe = recipes.recipe(root, recipes.known("version", version, recipes.versions(root)))
    build_root = recipes.build_root(root, recipes.known("dist", dist, recipes.dists(root)))
    machine = build_root.machine[recipes.known("arch", arch, build_root.machine)]
    compiler = recipes.compiler(
        root, recipes.known("toolchain", toolchain, recipes.toolchains(root))
    )
    if machine.isa not in compiler.isa:
        raise RecipeError(
            f"toolchain {toolchain} has no flags for the instruction set of {dist} {arch}",
            expected=f"{machine.isa} in [isa]",
            got=", ".join(compiler.isa),
            file=root / "buildroot" / "toolchains" / f"{toolchain}.toml",
            hint="add it there",
        )
    processor = recipes.processor(root, machine.processor or arch)
    if not compiler.target and processor.name != platform.machine():
        raise RequestError(
            "the native toolchain builds for this machine only",
            expected=platform.machine(),
            got=processor.name,
            hint="leave out --toolchain",
        )
    return Plan(
        package=package,
        recipe=recipe,
        root=build_root,
        arch=arch,
        processor=processor,
        isa=processor.isa(machine.isa),
        compiler=compiler,
        flavor=package.flavor[recipes.known("flavor", flavor, package.flavor)],
        variant=flavor,
        handed=origins.handed(source, version, package) if source else None,
    )


def named(root: Path, name: str, version: str, release: str, arch: str) -> Plan:
    """The plan of a package, by what its header says. Raises RequestError for one of no recipe.

    A sub-package is of no machine, and the same with the package of each: it stands for that of
    this host's, where the dist has it.
    """
    package = recipes.package(root)
    names, parts = dict[str, str](), set[str]()
    for variant, flavor in package.flavor.items():
        own = f"{package.name}{flavor.suffix}"
        names[own] = variant
        if flavor.switch:
            names[f"{own}{flavor.switch.suffix}"] = variant
            parts.add(f"{own}{flavor.switch.suffix}")
    variant = names[recipes.known("package", name, names)]
    number, _, dist = release.partition(".")
    if name in parts:
        build_root = recipes.build_root(root, recipes.known("dist", dist, recipes.dists(root)))
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


def _architectures(root: Path, dist: str, arch: str, every: bool) -> list[str]:
    """The architectures of a dist that are meant; of every dist, those that it has."""
    machines = recipes.build_root(root, dist).machine
    if not every or arch == EVERY:
        return _names("arch", arch, machines)
    roots = (recipes.build_root(root, name) for name in recipes.dists(root))
    asked = _names("arch", arch, {name: None for each in roots for name in each.machine})
    return [name for name in asked if name in machines]


def _names(kind: str, asked: str, names: Iterable[str]) -> list[str]:
    names = list(names)
    if asked == EVERY:
        return names
    return list(
        dict.fromkeys(recipes.known(kind, name.strip(), names) for name in asked.split(","))
    )
