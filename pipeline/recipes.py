"""The data of the project: which recipes, build roots, processors and compilers there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.version import InvalidVersion, Version

from pipeline.checksum import sha256_of
from pipeline.errors import PatchError, RecipeError, RequestError
from pipeline.model import (
    PLAIN,
    BuildRoot,
    Compiler,
    Package,
    Patch,
    Plan,
    Processor,
    Recipe,
    Source,
)
from pipeline.tables import load, toml

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GLIBC = re.compile(r"\d+\.\d+")
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
    return load(root / "recipes" / "package.toml", Package)


def recipe(root: Path, version: str) -> Recipe:
    """The recipe of a known version."""
    file = root / "recipes" / f"{version}.toml"
    return load(file, Recipe, lambda found: _faults_of_recipe(found, version))


def build_root(root: Path, dist: str) -> BuildRoot:
    """The build root of a known dist."""
    file = root / "buildroot" / f"{dist}.toml"
    return load(file, BuildRoot, lambda found: _faults_of_root(root, found, dist))


def processor(root: Path, name: str) -> Processor:
    """A known kind of processor."""
    file = _processor_file(root, name)
    return load(file, Processor, _faults_of_processor, extra={"name": name})


def _processor_file(root: Path, name: str) -> Path:
    return root / "buildroot" / "processors" / f"{name}.toml"


def compiler(root: Path, name: str) -> Compiler:
    """A known kind of compiler."""
    return load(root / "buildroot" / "toolchains" / f"{name}.toml", Compiler, extra={"name": name})


def manifest(root: Path, plan: Plan) -> tuple[str, ...]:
    """The paths that the package must list, in order; build-id lines are templates."""
    file = manifest_file(root, plan)
    try:
        return tuple(file.read_text(encoding="utf-8").splitlines())
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


def switch_manifest(root: Path, plan: Plan) -> tuple[str, ...]:
    """The paths that the sub-package must list, in order; none where there is no sub-package."""
    file = switch_manifest_file(root, plan)
    return tuple(file.read_text(encoding="utf-8").splitlines()) if file else ()


def switch_manifest_file(root: Path, plan: Plan) -> Path | None:
    """Where the sub-package's manifest is: of all releases and dists the same."""
    switch = plan.flavor.switch
    return root / "recipes" / "manifests" / f"{switch.suffix.lstrip('-')}.txt" if switch else None


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


# --- what a well-typed file may still get wrong --------------------------------------------------


def _faults_of_recipe(found: Recipe, version: str) -> Iterator[str]:
    if found.version != version:
        yield f"version: the file's name says {version}, got {found.version}"
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", found.tree):
        yield f"tree: expected sha256:<64 hex digits>, got {found.tree!r}"
    if found.released.utcoffset() is None:
        yield "released: a time with its offset, such as 2022-04-14T23:54:04Z"
    if not found.library.startswith(f"{found.soname}."):
        yield f"library: expected {found.soname}.<minor>, got {found.library!r}"
    if not found.source:
        yield "source: at least one"
    for number, source in enumerate(found.source):
        yield from (f"source[{number}]: {fault}" for fault in _faults_of_source(source))
    for patch in found.patch:
        if not _SHA256.fullmatch(patch.sha256):
            yield f"patch {patch.file}: sha256: expected 64 hex digits, got {patch.sha256!r}"
        if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.patch", patch.file):
            yield f"patch: expected NNNN-slug.patch, got {patch.file!r}"
    releases = [change.release for change in found.changelog]
    if not releases or releases != sorted(set(releases), reverse=True):
        yield f"changelog: releases from the newest down, each once, got {releases}"


def _faults_of_source(source: Source) -> Iterator[str]:
    given = [kind for kind in ("url", "sdist", "debian") if getattr(source, kind)]
    if len(given) != 1:
        yield f"exactly one of url, sdist, debian, got {given or 'none'}"
    if not _SHA256.fullmatch(source.sha256):
        yield f"sha256: expected 64 hex digits, got {source.sha256!r}"
    if source.url and not source.url.startswith("https://"):
        yield f"url: expected https://..., got {source.url!r}"
    if source.sdist and not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", source.sdist):
        yield f"sdist: expected name==version, got {source.sdist!r}"
    if source.debian and not re.fullmatch(r"[a-z0-9.+-]+=[A-Za-z0-9.+~:-]+", source.debian):
        yield f"debian: expected name=version, got {source.debian!r}"


def _faults_of_root(root: Path, found: BuildRoot, dist: str) -> Iterator[str]:
    if found.dist != dist:
        yield f"dist: the file's name says {dist}, got {found.dist}"
    if not _GLIBC.fullmatch(found.glibc):
        yield f"glibc: expected major.minor, got {found.glibc!r}"
    for arch, machine in found.machine.items():
        file = _processor_file(root, machine.processor or arch)
        if not file.is_file():
            yield f"machine.{arch}: no such processor: {file}"
        elif machine.isa not in toml(file).get("level", ()):
            yield f"machine.{arch}.isa: {machine.isa!r} is not a level in {file}"
        if machine.floor and not _is_within(machine.floor, found.glibc):
            yield f"machine.{arch}.floor: expected {found.glibc} or older, got {machine.floor!r}"


def _is_within(floor: str, glibc: str) -> bool:
    return all(map(_GLIBC.fullmatch, (floor, glibc))) and Version(floor) <= Version(glibc)


def _faults_of_processor(found: Processor) -> Iterator[str]:
    for name, level in found.level.items():
        # What a level extends stands above it, so no chain comes back to where it began.
        names = list(found.level)
        if level.extends and level.extends not in names[: names.index(name)]:
            yield f"level.{name}.extends: expected a level above it, got {level.extends!r}"
