"""Faults that a file of the project may have although all its types are right."""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from pipeline.model import BuildRoot, Compiler, Package, Processor, Recipe, Source
from pipeline.model.printable import printable

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GLIBC = re.compile(r"\d+\.\d+")


def of_package(package: Package) -> Iterator[str]:
    """Unknown placeholders, malformed hooks and sub-packages, and flavors secure by half."""
    texts = {"summary": package.summary, "description": package.description}
    texts["debuginfo.summary"] = package.debuginfo.summary
    texts["debuginfo.description"] = package.debuginfo.description
    for name, flavor in package.flavor.items():
        if bool(flavor.level) != bool(flavor.guards):
            yield f"flavor.{name}: level and guards, or neither"
        texts[f"flavor.{name}.description"] = flavor.description
        for subpackage in flavor.subpackage:
            key = f"flavor.{name}.subpackage{subpackage.suffix}"
            texts[f"{key}.summary"] = subpackage.summary
            texts[f"{key}.description"] = subpackage.description
            generated = [file.path for file in subpackage.file if not file.source]
            if len(generated) != bool(subpackage.unit):
                yield f"{key}: a unit and one file without a source, its drop-in, or neither"
        names = [PurePosixPath(file.path).name for one in flavor.subpackage for file in one.file]
        for file in sorted({file for file in names if names.count(file) > 1}):
            yield f"flavor.{name}: two files of its sub-packages are called {file}"
    for key, text in texts.items():
        yield from _placeholders(key, text, "name", "version")
    yield from _placeholders("platform", package.platform, "arch")
    if not _GLIBC.fullmatch(package.hooks.until):
        yield f"hooks.until: expected major.minor, got {package.hooks.until!r}"
    if not re.fullmatch(r"\w+\.c", package.hooks.source, re.ASCII):
        yield f"hooks.source: expected name.c, got {package.hooks.source!r}"


def _placeholders(key: str, text: str, *names: str) -> Iterator[str]:
    try:
        text.format(**dict.fromkeys(names, ""))
    except (LookupError, ValueError, AttributeError) as problem:
        allowed = ", ".join(f"{{{name}}}" for name in names)
        yield f"{key}: expected no other braces than {allowed}, got {text!r} ({problem})"


def of_compiler(compiler: Compiler) -> Iterator[str]:
    """Unknown placeholders."""
    yield from _placeholders("target", compiler.target, "processor", "glibc")
    for flag in compiler.profile:
        yield from _placeholders("profile", flag, "file")


def of_recipe(recipe: Recipe, version: str) -> Iterator[str]:
    """Malformed checksums, names and numbers."""
    if recipe.version != version:
        yield f"version: the file's name says {version}, got {recipe.version}"
    if recipe.released.utcoffset() is None:
        yield "released: a time with its offset, such as 2022-04-14T23:54:04Z"
    if not recipe.library.startswith(f"{recipe.soname}."):
        yield f"library: expected {recipe.soname}.<minor>, got {recipe.library!r}"
    for number, source in enumerate(recipe.source):
        yield from (f"source[{number}]: {fault}" for fault in _faults_of_source(source))
    if recipe.profile and not re.fullmatch(f"sha256:{_SHA256.pattern}", recipe.profile):
        yield f"profile: expected sha256:<64 hex digits>, got {recipe.profile!r}"
    for patch in recipe.patch:
        if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.patch", patch.file):
            yield f"patch: expected NNNN-slug.patch, got {patch.file!r}"
    accepted = [(item.rule, item.flavor) for item in recipe.accepted]
    for rule, flavor in sorted(set(accepted)):
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", rule):
            yield f"accepted: expected the name of a rule, such as zero-size, got {rule!r}"
        # Without a flavor it holds for all of them.
        if accepted.count((rule, flavor)) > 1 or (flavor and (rule, "") in accepted):
            yield f"accepted: {rule} more than once"
    yield from (f"accepted: {item.rule}: why is empty" for item in recipe.accepted if not item.why)
    releases = [change.release for change in recipe.changelog]
    if not releases or releases != sorted(set(releases), reverse=True):
        yield f"changelog: expected the newest release first, each once, got {releases}"
    for note in (note for change in recipe.changelog for note in change.notes):
        if printable(note) != note or set("\n%") & set(note):  # rpm expands and even runs %(...)
            yield f"changelog: expected a line of text without %, got {note!a}"


def _faults_of_source(source: Source) -> Iterator[str]:
    kinds = [kind for kind in ("url", "sdist", "debian") if getattr(source, kind)]
    if len(kinds) != 1:
        yield f"exactly one of url, sdist, debian, got {kinds or 'none'}"
    if not _SHA256.fullmatch(source.sha256):
        yield f"sha256: expected 64 hex digits, got {source.sha256!r}"
    if source.url and not source.url.startswith("https://"):
        yield f"url: expected https://..., got {source.url!r}"
    if source.sdist and not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", source.sdist):
        yield f"sdist: expected name==version, got {source.sdist!r}"
    if source.debian and not re.fullmatch(r"[a-z0-9.+-]+=[A-Za-z0-9.+~:-]+", source.debian):
        yield f"debian: expected name=version, got {source.debian!r}"


def of_build_root(
    target: BuildRoot, dist: str, processor: Callable[[str], Processor]
) -> Iterator[str]:
    """Unknown levels of processors, and malformed C library floors."""
    if target.dist != dist:
        yield f"dist: the file's name says {dist}, got {target.dist}"
    if not _GLIBC.fullmatch(target.glibc):
        yield f"glibc: expected major.minor, got {target.glibc!r}"
    for arch, machine in target.machine.items():
        name = machine.processor or arch
        if machine.isa not in processor(name).level:
            yield f"machine.{arch}.isa: {machine.isa!r} is not a level of {name}"
        if machine.floor and not _GLIBC.fullmatch(machine.floor):
            yield f"machine.{arch}.floor: expected major.minor, got {machine.floor!r}"
