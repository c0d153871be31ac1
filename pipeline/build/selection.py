"""What the user selects, as plans: defaults, comma lists and ``all``; every name is checked."""

import platform
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

from pipeline.config import load
from pipeline.model import PLAIN, BuildRoot, FlavorChange, Package, Plan, Recipe, Selection
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
    # Each file is read once, and the user's source examined once, for however many plans.
    processors = cache(partial(load.processor, root))
    targets = [load.build_root(root, dist, processors) for dist in dists]
    machines = [(one, arch) for one in targets for arch in _arches(one, targets, selection)]
    recipes = [load.recipe(root, version) for version in versions]
    toolchain = load.checked_name("toolchain", selection.toolchain, load.toolchains(root))
    compiler, source = load.compiler(root, toolchain), selection.source
    user_source = user.user_source(source, versions[0], package) if source else None
    selected = [
        Plan(
            package=package,
            recipe=recipe,
            root=target,
            arch=arch,
            processor=processors(target.machine[arch].processor or arch),
            compiler=compiler,
            flavor=recipe.flavor.get(flavor, FlavorChange()).of(package.flavor[flavor]),
            variant=flavor,
            user_source=user_source,
        )
        for recipe in recipes
        for target, arch in machines
        for flavor in flavors
    ]
    for recipe in recipes:
        _check_flavors(recipe, package, root)
    for each in selected:
        _check_compiler(each, root)
    return selected


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
    """The plan that makes a package, a sub-package or debug information, by fields of its header.

    A sub-package is the same for all architectures: its plan is that of this host's, where there
    is one. Raises RequestError if no recipe makes the package.
    """
    dist, file_name = release.partition(".")[2], f"{name}-{version}-{release}.{arch}.rpm"
    candidates = plans(root, Selection(version or "none", dist or "none", EVERY, EVERY))
    for plan in sorted(candidates, key=lambda plan: plan.arch != platform.machine()):
        if file_name in (*plan.file_names, plan.debuginfo.file_name):
            return plan
    raise RequestError(
        "no recipe makes this package",
        expected=", ".join(plan.file_name for plan in candidates),
        got=file_name,
        hint="git log: an older commit of this project may have made it",
    )


def _check_flavors(recipe: Recipe, package: Package, root: Path) -> None:
    """Raise an error if a recipe changes a flavor that there is not."""
    if unknown := sorted(recipe.flavor.keys() - package.flavor.keys()):
        raise RecipeError(
            f"[flavor.{unknown[0]}] changes a flavor that there is not",
            expected=f"one of {', '.join(package.flavor)}",
            got=", ".join(unknown),
            file=root / "recipes" / f"{recipe.version}.toml",
        )


def _check_compiler(plan: Plan, root: Path) -> None:
    """Raise an error if a plan's compiler cannot compile for its machine."""
    compiler = plan.compiler
    if plan.machine.isa not in compiler.isa:
        raise RecipeError(
            f"toolchain {compiler.name} has no flags for {plan.root.dist} {plan.arch}",
            expected=f"{plan.machine.isa} in [isa]",
            got=", ".join(compiler.isa),
            file=root / "buildroot" / "toolchains" / f"{compiler.name}.toml",
        )
    if not compiler.target and plan.processor.name != platform.machine():
        raise RequestError(
            "the native toolchain builds for this machine only",
            expected=platform.machine(),
            got=plan.processor.name,
            hint="leave out --toolchain",
        )


def _arches(target: BuildRoot, targets: Iterable[BuildRoot], selection: Selection) -> list[str]:
    """The selected architectures of a dist; where all dists are selected, those that it has."""
    arch = selection.arch or platform.machine()
    if selection.dist != EVERY or arch == EVERY:
        return _names("arch", arch, target.machine)
    everywhere = dict.fromkeys(name for other in targets for name in other.machine)
    return [name for name in _names("arch", arch, everywhere) if name in target.machine]


def _names(kind: str, text: str, names: Iterable[str]) -> list[str]:
    """The names that a comma list or ``all`` stands for."""
    names = list(names)
    return names if text == EVERY else load.checked_names(kind, text, names)
