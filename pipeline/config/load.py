"""The data of the project: recipes, build roots, processors, compilers, manifests, patches."""

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

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def versions(root: Path) -> list[str]:
    """The versions with a recipe, oldest first."""
    names = [file.stem for file in (root / "recipes").glob("[0-9]*.toml")]
    try:
        return sorted(names, key=Version)
    except InvalidVersion as problem:
        raise RecipeError(
            f"the file name of a recipe is not a version: {problem}", file=root / "recipes"
        ) from problem


def dists(root: Path) -> list[str]:
    """The dists with a build root, oldest first."""
    names = [file.stem for file in (root / "buildroot").glob("*.toml")]
    return sorted(names, key=lambda name: (len(name), name))


def toolchains(root: Path) -> list[str]:
    """The names of the compilers."""
    return sorted(file.stem for file in (root / "buildroot" / "toolchains").glob("*.toml"))


def checked_name(kind: str, name: str, names: Iterable[str]) -> str:
    """``name``, if it is in ``names``. Raises RequestError with the names that are most similar."""
    names = list(names)
    if name in names:
        return name
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"{name!r} is not a {kind}",
            expected="letters, digits, dots and dashes",
            hint="invoke list",
        )
    similar = " or ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.6))
    raise RequestError(
        f"unknown {kind} {name}" + (f"; did you mean {similar}?" if similar else ""),
        expected=f"one of {', '.join(names)}",
        got=name,
        hint="invoke list",
    )


def package(root: Path) -> Package:
    """What all releases share."""
    return load(root / "recipes" / "package.toml", Package, validation.of_package)


def recipe(root: Path, version: str) -> Recipe:
    """The recipe of a version."""
    file = root / "recipes" / f"{version}.toml"
    return load(file, Recipe, lambda recipe: validation.of_recipe(recipe, version))


def build_root(root: Path, dist: str) -> BuildRoot:
    """The build root of a dist."""
    file = root / "buildroot" / f"{dist}.toml"
    return load(file, BuildRoot, lambda target: validation.of_build_root(root, target, dist))


def processor(root: Path, name: str) -> Processor:
    """A kind of processor."""
    file = root / "buildroot" / "processors" / f"{name}.toml"
    return load(file, Processor, validation.of_processor, extra={"name": name})


def compiler(root: Path, name: str) -> Compiler:
    """A compiler."""
    folder = root / "buildroot" / "toolchains" / name
    return load(
        folder.with_name(f"{name}.toml"),
        Compiler,
        lambda compiler: validation.of_compiler(compiler, folder),
        extra={"name": name},
    )


def manifest(root: Path, plan: Plan) -> tuple[str, ...]:
    """The paths of the package, in the order of ``rpm -qlp``; build-id lines are templates."""
    return _paths(manifest_file(root, plan))


def manifest_file(root: Path, plan: Plan) -> Path:
    """The file of a package's manifest."""
    name = f"{plan.recipe.version}.{plan.root.dist}"
    name += "" if plan.variant == PLAIN else f".{plan.variant}"
    return root / "recipes" / "manifests" / f"{name}.txt"


def subpackage_manifest(root: Path, plan: Plan) -> tuple[str, ...]:
    """The paths of the sub-package; empty if the plan has none."""
    file = subpackage_manifest_file(root, plan)
    return _paths(file) if file else ()


def subpackage_manifest_file(root: Path, plan: Plan) -> Path | None:
    """The file of the sub-package's manifest, which all releases and dists share."""
    if plan.flavor.subpackage is None:
        return None
    name = plan.flavor.subpackage.suffix.lstrip("-")
    return root / "recipes" / "manifests" / f"{name}.txt"


def manifests_digest(root: Path, plan: Plan) -> str:
    """A digest of the manifests of a package and its sub-package that exist."""
    files = (manifest_file(root, plan), subpackage_manifest_file(root, plan))
    return digest_of_files(file for file in files if file and file.is_file())


def _paths(manifest: Path) -> tuple[str, ...]:
    try:
        return tuple(manifest.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError as problem:
        raise RecipeError(
            "no such manifest",
            file=manifest,
            hint="write the output of rpm -qlp into it, see `Add a release` in CONTRIBUTING.md",
        ) from problem
    except UnicodeDecodeError as problem:
        raise RecipeError("not a list of paths", got=str(problem), file=manifest) from problem


def patch_file(root: Path, recipe: Recipe, patch: Patch) -> Path:
    """The file of a patch. Raises PatchError if its checksum is not the one in the recipe."""
    file = root / "patches" / recipe.version / patch.file
    if not file.is_file():
        raise PatchError("no such patch", file=file, hint="restore it, or correct the recipe")
    checksum = sha256_of(file)
    if checksum != patch.sha256:
        raise PatchError(
            f"{file.name} is not the one that the recipe pins",
            expected=f"sha256 {patch.sha256}",
            got=f"sha256 {checksum}",
            file=file,
            hint="restore it, or pin the new one in the recipe",
        )
    return file
