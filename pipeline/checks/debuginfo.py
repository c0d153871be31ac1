"""The checks of a package of debug information: what it describes, its header, its files."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.checks import dependencies, files, metadata
from pipeline.checks.package import Check, host_names
from pipeline.model import Facts, Finding, Image, Plan

# What debuggers need for the names of functions, the lines of a file, and inlined calls.
_TABLES = (".symtab", ".debug_info", ".debug_line", ".debug_aranges")

# What all hosts call the folders of sources.
_ANY_HOST = "/usr/"

# The checks that it has in common with the package.
_SHARED: tuple[Check, ...] = (metadata.features, files.manifest, files.modes, host_names)


def check_debuginfo(facts: Facts, plan: Plan, library: Image, debug: Image) -> list[Finding]:
    """Everything that is wrong with a package of debug information about the packaged library."""
    paths = _paths(plan, debug)
    return [
        *_image(plan, library, debug),
        *_header(facts, plan, library.build_id),
        *(finding for check in _SHARED for finding in check(facts, plan, paths)),
        *_requires(facts),
        *_sources(debug),
    ]


def _image(plan: Plan, library: Image, debug: Image) -> Iterator[Finding]:
    """What is in memory is the same in both, each byte at its address, so that names are right."""
    for name in sorted({*library.memory, *debug.memory}):
        expected, got = (image.memory.get(name, "none") for image in (library, debug))
        if expected != got:
            yield Finding("image", f"{name} of {plan.library.name}", expected, got)
    for name in _TABLES:
        if name not in debug.tables:
            yield Finding("image", f"debug information of {plan.library.name}", name, "none")


def _header(facts: Facts, plan: Plan, build_id: str) -> Iterator[Finding]:
    """Names and texts are its own; the rest is the same as in the package. It has no scriptlet."""
    planned = plan.debuginfo
    if facts.file_name != planned.file_name:
        yield Finding("nevra", "file name", planned.file_name, facts.file_name)
    own = {
        "NAME": planned.name,
        "SUMMARY": planned.summary,
        "DESCRIPTION": planned.description,
    }
    yield from metadata.tags(facts, {**metadata.expected(plan), **own})
    yield from metadata.changelog(facts, plan)
    version = f"{plan.recipe.version}-{plan.release}"
    provided = {
        f"debuginfo(build-id) = {build_id}",
        f"{planned.name} = {version}",
        f"{planned.name}({metadata.bits(plan)}) = {version}",
    }
    if set(facts.header.provides) != provided:
        got = ", ".join(sorted(facts.header.provides)) or "nothing"
        yield Finding("metadata", "Provides", ", ".join(sorted(provided)), got)
    for name, scriptlet in facts.header.scriptlets.items():
        yield Finding("scriptlets", f"%{name}", "none", scriptlet)


def _requires(facts: Facts) -> Iterator[Finding]:
    """It requires nothing: a core is examined on another host than the one that wrote it."""
    for capability in facts.header.requires:
        if not dependencies.RPMLIB.fullmatch(capability):
            yield Finding("requires", facts.file_name, "rpm only", f"Requires: {capability}")
    yield from dependencies.other_kinds(facts)


def _sources(debug: Image) -> Iterator[Finding]:
    """No source file is named as on the host that compiled it."""
    for path in sorted(path for path in debug.sources if not path.startswith(_ANY_HOST)):
        yield Finding("sources", "a file in the debug information", f"{_ANY_HOST}...", path)


def _paths(plan: Plan, debug: Image) -> tuple[str, ...]:
    """The paths of the package: debug information, the sources of ours that it names, folders."""
    planned = plan.debuginfo
    paths = {planned.file(debug.build_id), *map(PurePosixPath, debug.sources)}
    paths |= {folder for path in paths for folder in path.parents}
    own = (planned.folder, planned.sources)
    return tuple(sorted(str(path) for path in paths if any(map(path.is_relative_to, own))))
