"""What a file of the project may get wrong though every type in it is right."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from packaging.version import Version

from pipeline.config.toml import read
from pipeline.model import BuildRoot, Compiler, Package, Processor, Recipe, Source

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GLIBC = re.compile(r"\d+\.\d+")


def of_package(found: Package) -> Iterator[str]:
    """Texts with places in them that nothing goes into."""
    words = {"name": "", "version": ""}
    yield from _unfilled("summary", found.summary, **words)
    yield from _unfilled("description", found.description, **words)
    yield from _unfilled("platform", found.platform, arch="")
    for name, flavor in found.flavor.items():
        if flavor.subpackage:
            place = f"flavor.{name}.switch"
            yield from _unfilled(f"{place}.summary", flavor.subpackage.summary, **words)
            yield from _unfilled(f"{place}.description", flavor.subpackage.description, **words)


def _unfilled(place: str, text: str, **words: str) -> Iterator[str]:
    """A complaint about a text with a place in it that nothing of ours goes into."""
    try:
        text.format(**words)
    except (LookupError, ValueError, AttributeError) as problem:
        told = ", ".join(f"{{{word}}}" for word in words)
        yield f"{place}: expected no other braces than {told}, got {text!r} ({problem})"


def of_compiler(found: Compiler, folder: Path) -> Iterator[str]:
    """The same, and files that are not there."""
    yield from _unfilled("target", found.target, processor="", glibc="")
    for name in found.support:
        if not (folder / name).is_file():
            yield f"support: no such file: {folder / name}"


def of_recipe(found: Recipe, version: str) -> Iterator[str]:
    """Pins, names and numbers that are none."""
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


def of_root(root: Path, found: BuildRoot, dist: str) -> Iterator[str]:
    """Processors, levels and floors that are none."""
    if found.dist != dist:
        yield f"dist: the file's name says {dist}, got {found.dist}"
    if not _GLIBC.fullmatch(found.glibc):
        yield f"glibc: expected major.minor, got {found.glibc!r}"
    for arch, machine in found.machine.items():
        file = root / "buildroot" / "processors" / f"{machine.processor or arch}.toml"
        if not file.is_file():
            yield f"machine.{arch}: no such processor: {file}"
        elif machine.isa not in _levels(file):
            yield f"machine.{arch}.isa: {machine.isa!r} is not a level in {file}"
        if machine.floor and not _is_within(machine.floor, found.glibc):
            yield f"machine.{arch}.floor: expected {found.glibc} or older, got {machine.floor!r}"


def _levels(processor: Path) -> Collection[str]:
    """The names of a processor's levels; none where that is not a table, which its reader tells."""
    levels = read(processor).get("level")
    return levels if isinstance(levels, dict) else ()


def _is_within(floor: str, glibc: str) -> bool:
    return all(map(_GLIBC.fullmatch, (floor, glibc))) and Version(floor) <= Version(glibc)


def of_processor(found: Processor) -> Iterator[str]:
    """Levels that extend what is not above them."""
    for name, level in found.level.items():
        # What a level extends stands above it, so no chain comes back to where it began.
        names = list(found.level)
        if level.extends and level.extends not in names[: names.index(name)]:
            yield f"level.{name}.extends: expected a level above it, got {level.extends!r}"
