"""The data of the project: recipes, build roots, processors, compilers, manifests, patches."""

import difflib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from packaging.version import InvalidVersion, Version

from pipeline.config import validation
from pipeline.config.toml import load
from pipeline.model import (
    BUILD_IDS,
    PLAIN,
    BuildRoot,
    Compiler,
    Package,
    Patch,
    Plan,
    Processor,
    Recipe,
)
from pipeline.model.errors import PatchError, RecipeError, RequestError
from pipeline.system.checksum import sha256_of

# The newest release, wherever a version is asked for.
LATEST = "latest"

# What `invoke list` shows.
LISTED = ("version", "dist", "arch", "flavor")

PROFILES = Path("recipes") / "profiles"


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
    """The dists with a build root; el10 comes after el9, and no other order means anything."""
    names = [file.stem for file in (root / "buildroot").glob("*.toml")]
    return sorted(names, key=lambda name: (len(name), name))


def toolchains(root: Path) -> list[str]:
    """The names of the compilers."""
    return sorted(file.stem for file in (root / "buildroot" / "toolchains").glob("*.toml"))


def checked_name(kind: str, name: str, names: Iterable[str]) -> str:
    """``name``, if it is in ``names``. Raises RequestError with the names that are most similar.

    The version ``latest`` is the last of them.
    """
    names = list(names)
    if kind == "version" and name == LATEST and names:
        return names[-1]
    if name in names:
        return name
    similar = " or ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.6))
    raise RequestError(
        f"unknown {kind} {name}" + (f"; did you mean {similar}?" if similar else ""),
        expected=f"one of {', '.join(names)}",
        got=repr(name),
        hint="invoke list" if kind in LISTED else "",
    )


def checked_names(kind: str, text: str, names: Iterable[str]) -> list[str]:
    """The names of a comma list, each once. Raises RequestError for one not in ``names``."""
    names = list(names)
    parts = (checked_name(kind, part.strip(), names) for part in text.split(","))
    return list(dict.fromkeys(parts))


def package(root: Path) -> Package:
    """What all releases share."""
    return load(root / "recipes" / "package.toml", Package, validation.of_package)


def recipe(root: Path, version: str) -> Recipe:
    """The recipe of a version."""
    file = root / "recipes" / f"{version}.toml"
    return load(file, Recipe, lambda recipe: validation.of_recipe(recipe, version))


def build_root(
    root: Path, dist: str, processors: Callable[[str], Processor] | None = None
) -> BuildRoot:
    """The build root of a dist; ``processors`` reads a kind of processor by its name."""
    file, read = root / "buildroot" / f"{dist}.toml", processors or partial(processor, root)
    return load(file, BuildRoot, lambda target: validation.of_build_root(target, dist, read))


def processor(root: Path, name: str) -> Processor:
    """A kind of processor."""
    file = root / "buildroot" / "processors" / f"{name}.toml"
    return load(file, Processor, extra={"name": name})


def compiler(root: Path, name: str) -> Compiler:
    """A compiler."""
    file = root / "buildroot" / "toolchains" / f"{name}.toml"
    return load(file, Compiler, validation.of_compiler, extra={"name": name})


def manifest_files(root: Path, plan: Plan) -> list[Path]:
    """The files of the manifests, in the order of ``plan.file_names``.

    All dists share them, and all releases those of the sub-packages.
    """
    variant = "" if plan.variant == PLAIN else f".{plan.variant}"
    names = [f"{plan.recipe.version}{variant}"]
    names += [subpackage.suffix.lstrip("-") for subpackage in plan.flavor.subpackage]
    return [root / "recipes" / "manifests" / f"{name}.txt" for name in names]


def manifests(root: Path, plan: Plan) -> list[tuple[str, ...]]:
    """The paths of a package and of its sub-packages, in the order of ``plan.file_names``.

    They are in the order of ``rpm -qlp``; build-id lines are templates. Raises RecipeError.
    """
    files = manifest_files(root, plan)
    if missing := [file for file in files if not file.is_file()]:
        raise RecipeError(
            "no such manifest",
            file=missing[0],
            hint="invoke manifest --write"
            f" --version {plan.recipe.version} --dist {plan.root.dist} --flavor {plan.variant}",
        )
    dropped = () if plan.has_build_id_links else (BUILD_IDS,)
    lists = map(_manifest, files)
    return [tuple(path for path in paths if not path.startswith(dropped)) for paths in lists]


def _manifest(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as problem:
        raise RecipeError("not a list of paths", got=str(problem), file=file) from problem


def hooks(root: Path, plan: Plan) -> list[Path]:
    """The C file of the malloc hooks, where the C library of the dist has them."""
    return [root / "buildroot" / plan.package.hooks.source] if plan.hooks else []


def profile_file(root: Path, plan: Plan) -> Path | None:
    """The file of the plan's profile, if any. Raises RecipeError where it is not the pinned one."""
    if not plan.profile:
        return None
    file = root / PROFILES / f"{plan.recipe.version}.profdata"
    checksum = f"sha256:{sha256_of(file)}" if file.is_file() else "no such file"
    if checksum != plan.profile:
        raise RecipeError(
            f"{file.name} is not the profile that the recipe pins",
            expected=plan.profile,
            got=checksum,
            file=file,
            hint=f"restore it, or make another: invoke profile --version {plan.recipe.version}",
        )
    return file


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
