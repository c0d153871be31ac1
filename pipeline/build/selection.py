"""What the user selects, as plans: defaults, comma lists and ``all``; every name is checked."""

import platform
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.config import load
from pipeline.model import PLAIN, Compiler, Machine, Plan, Processor, Selection
from pipeline.model.errors import RecipeError, RequestError
from pipeline.sources import user

EVERY = "all"

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
    """One plan, of pinned sources. Raises RequestError for an unknown name, also for a list."""
    return single(root, Selection(version, dist, arch, flavor), "a plan is of one package")


def single(root: Path, selection: Selection, message: str) -> Plan:
    """The only plan of a selection. Raises RequestError with ``message`` if there are several."""
    selected = plans(root, selection)
    if len(selected) > 1:
        got = ", ".join(plan.label for plan in selected)
        raise RequestError(message, expected="one package", got=got)
    return selected[0]


def by_nevra(root: Path, name: str, version: str, release: str, arch: str) -> Plan:
    """The plan that makes a package or sub-package, by the fields of its header.

    A sub-package is the same for all architectures: its plan is that of this host's, where there
    is one. Raises RequestError if no recipe makes the package.
    """
    dist, file_name = release.partition(".")[2], f"{name}-{version}-{release}.{arch}.rpm"
    candidates = plans(root, Selection(version or "none", dist or "none", EVERY, EVERY))
    for plan in sorted(candidates, key=lambda plan: plan.arch != platform.machine()):
        if file_name in plan.file_names:
            return plan
    raise RequestError(
        "no recipe makes this package",
        expected=", ".join(plan.file_name for plan in candidates),
        got=file_name,
        hint="git log: an older commit of this project may have made it",
    )


def _plan(root: Path, selection: Selection) -> Plan:
    """The plan of a selection of one package. Raises an error for unusable data."""
    version, source = selection.version, selection.source
    package, build_root = load.package(root), load.build_root(root, selection.dist)
    machine = build_root.machine[selection.arch]
    processor = load.processor(root, machine.processor or selection.arch)
    return Plan(
        package=package,
        recipe=load.recipe(root, version),
        root=build_root,
        arch=selection.arch,
        processor=processor,
        compiler=_compiler(root, selection, machine, processor),
        flavor=package.flavor[selection.flavor],
        variant=selection.flavor,
        user_source=user.user_source(source, version, package) if source else None,
    )


def _compiler(root: Path, selection: Selection, machine: Machine, processor: Processor) -> Compiler:
    """The compiler of a selection. Raises an error if it cannot compile for the machine."""
    name = load.checked_name("toolchain", selection.toolchain, load.toolchains(root))
    compiler = load.compiler(root, name)
    if machine.isa not in compiler.isa:
        raise RecipeError(
            f"toolchain {name} has no flags for {selection.dist} {selection.arch}",
            expected=f"{machine.isa} in [isa]",
            got=", ".join(compiler.isa),
            file=root / "buildroot" / "toolchains" / f"{name}.toml",
        )
    if not compiler.target and processor.name != platform.machine():
        raise RequestError(
            "the native toolchain builds for this machine only",
            expected=platform.machine(),
            got=processor.name,
            hint="leave out --toolchain",
        )
    return compiler


def _architectures(root: Path, dist: str, selection: Selection) -> list[str]:
    """The selected architectures of a dist; where all dists are selected, those that it has."""
    machines, arch = load.build_root(root, dist).machine, selection.arch or platform.machine()
    if selection.dist != EVERY or arch == EVERY:
        return _names("arch", arch, machines)
    build_roots = (load.build_root(root, name) for name in load.dists(root))
    everywhere = dict.fromkeys(name for build_root in build_roots for name in build_root.machine)
    return [name for name in _names("arch", arch, everywhere) if name in machines]


def _names(kind: str, text: str, names: Iterable[str]) -> list[str]:
    """The names that a comma list or ``all`` stands for."""
    names = list(names)
    if text == EVERY:
        return names
    return list(
        dict.fromkeys(load.checked_name(kind, name.strip(), names) for name in text.split(","))
    )
