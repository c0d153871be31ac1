"""Checks of the header: names, texts and times, and whether the rpm of the dist can read it."""

import re
from collections.abc import Iterator, Mapping

from pipeline.model import Facts, Finding, Plan

_FEATURE = re.compile(r"rpmlib\((\w+)\)")

# The compressors of payloads: name in a tag to name in a macro.
_COMPRESSORS = {"xz": "xz", "gzip": "gz", "bzip2": "bz", "lzma": "lz", "zstd": "zst"}
_ARCHIVE = "cpio"

# rpm writes no tag for its first digest, MD5 (pgpHashAlgo_e).
_OLDEST_DIGEST = "1"

_SWEEP = "postun"
_LUA = "<lua>"

# What other builds may require of the package, besides its name.
_DEVELOPMENT = re.compile(r"(pkgconfig|cmake)\(\w+\)( = \S+)?")


def nevra(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The file name and the header have the planned NEVRA."""
    if facts.file_name != plan.file_name:
        yield Finding("nevra", "file name", plan.file_name, facts.file_name)
    tags = facts.header.tags
    got = "{}-{}-{}.{}".format(*(tags.get(t, "") for t in ("NAME", "VERSION", "RELEASE", "ARCH")))
    if got != plan.nevra:
        yield Finding("nevra", f"header of {facts.file_name}", plan.nevra, got)


def metadata(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Every tag has the value from recipe and package, and none comes from the build host."""
    yield from tags(facts, expected(plan))
    yield from changelog(facts, plan)
    yield from _provides(facts, plan)


def tags(facts: Facts, expected: Mapping[str, str]) -> Iterator[Finding]:
    """Tags have their expected values, and there is no epoch."""
    for tag, value in expected.items():
        got = facts.header.tags.get(tag, "").rstrip("\n")
        if got != value:
            yield Finding("metadata", tag, value, got or "none")
    if "EPOCH" in facts.header.tags:
        yield Finding("metadata", "EPOCH", "none", facts.header.tags["EPOCH"])


def expected(plan: Plan) -> dict[str, str]:
    """The expected tags of a package."""
    package, recipe = plan.package, plan.recipe
    return {
        "NAME": plan.name,
        "VERSION": recipe.version,
        "RELEASE": plan.release,
        "ARCH": plan.arch,
        "OS": "linux",
        "PLATFORM": plan.platform,
        "SUMMARY": plan.summary,
        "DESCRIPTION": plan.description,
        "URL": package.url,
        "LICENSE": package.license,
        "VENDOR": package.vendor,
        "PACKAGER": package.packager,
        "BUILDHOST": package.build_host,
        "BUILDTIME": str(recipe.moment),
        "SOURCERPM": plan.source_name,
    }


def changelog(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """The newest entry has the date, the author, the release and the notes of the recipe."""
    change = plan.recipe.changelog[0]
    author = f"{plan.package.packager} - {plan.recipe.version}-{change.release}"
    first = f"{change.date} {author}"
    expected = f"{first}: {'; '.join(change.notes)}"
    if not facts.header.changelog:
        yield Finding("metadata", "newest changelog entry", expected, "none")
        return
    got, *lines = facts.header.changelog[0].splitlines()
    notes = [line.removeprefix("-").strip() for line in lines]
    if got.removesuffix(f".{plan.root.dist}") != first or not set(change.notes) <= set(notes):
        yield Finding("metadata", "newest changelog entry", expected, f"{got}: {'; '.join(notes)}")


def _provides(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """The package provides its name, its name with the machine, and little else.

    Above all no soname: the loader does not find a library in a folder of its own.
    """
    name, version = plan.name, f"{plan.recipe.version}-{plan.release}"
    expected = (f"{name} = {version}", f"{name}({bits(plan)}) = {version}")
    for capability in expected:
        if capability not in facts.header.provides:
            yield Finding("metadata", plan.nevra, f"Provides: {capability}", "none")
    for capability in facts.header.provides:
        if capability not in expected and not _DEVELOPMENT.fullmatch(capability):
            got = f"Provides: {capability}"
            yield Finding("metadata", plan.nevra, ", ".join(expected), got)


def bits(plan: Plan) -> str:
    """rpm's notation of a machine: the name, a dash, the bits."""
    return re.sub(r"_?64$", "-64", plan.processor.name)


def features(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The rpm of the dist can read the package: its features, its payload, its file digests."""
    rpm, tags = plan.root.rpm, facts.header.tags
    for capability in facts.header.requires:
        match = _FEATURE.match(capability)
        if match and match[1] not in rpm.features:
            expected = f"a feature that rpm {rpm.version} of {plan.root.dist} has"
            yield Finding("features", "Requires", expected, capability)
    if tags.get("PAYLOADFORMAT") != _ARCHIVE:
        yield Finding("features", "payload format", _ARCHIVE, tags.get("PAYLOADFORMAT", "none"))
    payload = rpm.macros.get("_binary_payload")
    compressor = tags.get("PAYLOADCOMPRESSOR", "none")
    got = f"w{tags.get('PAYLOADFLAGS', '')}.{_COMPRESSORS.get(compressor, compressor)}dio"
    if payload and got != payload:
        yield Finding("features", "payload", payload, got)
    digest = rpm.macros.get("_binary_filedigest_algorithm")
    got = tags.get("FILEDIGESTALGO", _OLDEST_DIGEST)
    if digest and got != digest:
        yield Finding("features", "file digest algorithm", digest, got)


def scriptlets(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package has no scriptlet, except Lua that removes empty folders after an erasure."""
    for name, scriptlet in facts.header.scriptlets.items():
        if name != _SWEEP:
            yield Finding("scriptlets", f"%{name}", "none", scriptlet)
    sweep = facts.header.scriptlets.get(_SWEEP, "none")
    if not sweep.startswith(f"{_LUA}:"):
        yield Finding("scriptlets", f"%{_SWEEP}", f"a scriptlet run by {_LUA}", sweep)
