"""The data of the project: which recipes, build roots, processors and compilers there are."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from packaging.version import InvalidVersion, Version

from pipeline.config import validation
from pipeline.config.toml import load
from pipeline.model import PLAIN, BuildRoot, Compiler, Package, Patch, Plan, Processor, Recipe
from pipeline.model.errors import PatchError, RecipeError, RequestError
from pipeline.system.checksum import digest_of_files, sha256_of

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def versions(root: Path) -> list[str]:
    """The versions with a recipe, oldest first."""
    found = [file.stem for file in (root / "recipes").glob("[0-9]*.toml")]
    try:
        return sorted(found, key=Version)
    except InvalidVersion as problem:
        raise RecipeError(
            f"a recipe's file name is not a version: {problem}", file=root / "recipes"
        ) from problem


def dists(root: Path) -> list[str]:
    """The dists with a build root, oldest first."""
    found = [file.stem for file in (root / "buildroot").glob("*.toml")]
    return sorted(found, key=lambda name: (len(name), name))


def toolchains(root: Path) -> list[str]:
    """The kinds of compiler that can be asked for."""
    return sorted(file.stem for file in (root / "buildroot" / "toolchains").glob("*.toml"))


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """``name`` itself, where it is one of ``names``; else an error that suggests the nearest."""
    names = list(names)
    if name in names:
        return name
    if not _WORD.fullmatch(name):
        raise RequestError(
            f"{name!r} is not a {kind}",
            expected="letters, digits, dots and dashes",
            hint="invoke list",
        )
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    raise RequestError(
        f"unknown {kind} {name}" + (f"; did you mean {' or '.join(near)}?" if near else ""),
        expected=f"one of {', '.join(names)}",
        got=name,
        hint="invoke list",
    )


def package(root: Path) -> Package:
    """What all releases share."""
    return load(root / "recipes" / "package.toml", Package, validation.of_package)


def recipe(root: Path, version: str) -> Recipe:
    """The recipe of a known version."""
    file = root / "recipes" / f"{version}.toml"
    return load(file, Recipe, lambda found: validation.of_recipe(found, version))


def build_root(root: Path, dist: str) -> BuildRoot:
    """The build root of a known dist."""
    file = root / "buildroot" / f"{dist}.toml"
    return load(file, BuildRoot, lambda found: validation.of_root(root, found, dist))


def processor(root: Path, name: str) -> Processor:
    """A known kind of processor."""
    file = root / "buildroot" / "processors" / f"{name}.toml"
    return load(file, Processor, validation.of_processor, extra={"name": name})


def compiler(root: Path, name: str) -> Compiler:
    """A known kind of compiler."""
    folder = root / "buildroot" / "toolchains"
    return load(
        folder / f"{name}.toml",
        Compiler,
        lambda found: validation.of_compiler(found, folder / name),
        extra={"name": name},
    )


def manifest(root: Path, plan: Plan) -> tuple[str, ...]:
    """The paths that the package must list, in order; build-id lines are templates."""
    file = manifest_file(root, plan)
    try:
        return _lines(file)
    except FileNotFoundError as problem:
        raise RecipeError(
            f"no manifest for {plan.label}",
            file=file,
            hint="write into it what rpm -qlp prints, as CONTRIBUTING tells under `Add a release`",
        ) from problem


def manifest_file(root: Path, plan: Plan) -> Path:
    """Where a package's manifest is."""
    name = f"{plan.recipe.version}.{plan.root.dist}"
    name += "" if plan.variant == PLAIN else f".{plan.variant}"
    return root / "recipes" / "manifests" / f"{name}.txt"


def subpackage_manifest(root: Path, plan: Plan) -> tuple[str, ...]:
    """The paths that the sub-package must list, in order; none where there is no sub-package."""
    file = subpackage_manifest_file(root, plan)
    return _lines(file) if file else ()


def manifests_digest(root: Path, plan: Plan) -> str:
    """One digest of the manifests of a package and its sub-package, as far as they are there."""
    files = (manifest_file(root, plan), subpackage_manifest_file(root, plan))
    return digest_of_files(file for file in files if file and file.is_file())


def _lines(file: Path) -> tuple[str, ...]:
    try:
        return tuple(file.read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError as problem:
        raise RecipeError("not a list of paths", got=str(problem), file=file) from problem


def subpackage_manifest_file(root: Path, plan: Plan) -> Path | None:
    """Where the sub-package's manifest is: of all releases and dists the same."""
    subpackage = plan.flavor.subpackage
    return (
        root / "recipes" / "manifests" / f"{subpackage.suffix.lstrip('-')}.txt"
        if subpackage
        else None
    )


def patch_file(root: Path, recipe: Recipe, change: Patch) -> Path:
    """Where a patch is. Raises PatchError where it is not the one that the recipe pins."""
    file = root / "patches" / recipe.version / change.file
    if not file.is_file():
        raise PatchError("no such patch", file=file, hint="restore it, or correct the recipe")
    got = sha256_of(file)
    if got != change.sha256:
        raise PatchError(
            f"{file.name} is not the one that the recipe pins",
            expected=f"sha256 {change.sha256}",
            got=f"sha256 {got}",
            file=file,
            hint="restore it, or pin the new one in the recipe",
        )
    return file
