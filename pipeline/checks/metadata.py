"""The header of a package: its names, texts and times, and whether the dist's rpm can read it."""

import re
from collections.abc import Iterator, Mapping

from pipeline.model import Facts, Finding, Plan

_FEATURE = re.compile(r"rpmlib\((\w+)\)")

# rpm's notation of a payload: `w`, flags such as the level, a dot, the kind of stream.
_PAYLOAD = re.compile(r"w(?P<flags>\w*)\.(?P<stream>xz|gz|bz|lz|zst)dio")
_COMPRESSORS = {"xz": "xz", "gz": "gzip", "bz": "bzip2", "lz": "lzma", "zst": "zstd"}
_ARCHIVE = "cpio"

# rpm writes no tag for the digest that it started with, MD5 (pgpHashAlgo_e).
_OLDEST_DIGEST = "1"

_SWEEP = "postun"
_LUA = "<lua>"

# What other builds may find the package by, beside its names and its soname.
_DEVELOPMENT = re.compile(r"(pkgconfig|cmake)\(\w+\)( = \S+)?")


def nevra(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The file is named by what is in it, and both are what was planned."""
    if facts.file_name != plan.file_name:
        yield Finding("nevra", "file name", plan.file_name, facts.file_name)
    tags = facts.header.tags
    got = "{}-{}-{}.{}".format(*(tags.get(t, "") for t in ("NAME", "VERSION", "RELEASE", "ARCH")))
    if got != plan.nevra:
        yield Finding("nevra", f"header of {facts.file_name}", plan.nevra, got)


def metadata(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Every tag says what recipe and package say; nothing comes from the host or its clock."""
    yield from tags(facts, expected(plan))
    yield from changelog(facts, plan)
    yield from _provides(facts, plan)


def tags(facts: Facts, expected: Mapping[str, str]) -> Iterator[Finding]:
    """Tags have the values that they should; and no epoch ever overrules a version."""
    found = facts.header.tags
    for tag, value in expected.items():
        got = found.get(tag, "").rstrip("\n")
        if got != value:
            yield Finding("metadata", tag, value, got or "none")
    if "EPOCH" in found:
        yield Finding("metadata", "EPOCH", "none", found["EPOCH"])


def expected(plan: Plan) -> dict[str, str]:
    """The tags of a plan's package, and their values."""
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
        "SOURCERPM": f"{plan.name}-{recipe.version}-{plan.release}.src.rpm",
    }


def changelog(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """The newest entry tells of this release, whose it is, and what changed."""
    change = plan.recipe.changelog[0]
    author = f"{plan.package.packager} - {plan.recipe.version}-{change.release}"
    expected = f"{change.date} {author}: {'; '.join(change.notes)}"
    if not facts.header.changelog:
        yield Finding("metadata", "newest changelog entry", expected, "none")
        return
    newest = facts.header.changelog[0]
    notes = [line.removeprefix("-").strip() for line in newest.text.splitlines()]
    by = newest.author.removesuffix(f".{plan.root.dist}")
    if (newest.day, by) != (change.date, author) or not set(change.notes) <= set(notes):
        got = f"{newest.day} {newest.author}: {'; '.join(notes)}"
        yield Finding("metadata", "newest changelog entry", expected, got)


def _provides(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """It can be found by its name, its name with the machine, and its soname; by hardly more."""
    name, version = plan.name, f"{plan.recipe.version}-{plan.release}"
    # rpm's way to say a machine: the name, a dash, the bits.
    machine = re.sub(r"_?64$", "-64", plan.processor.name)
    soname = f"{plan.soname}()(64bit)"
    expected = (f"{name} = {version}", f"{name}({machine}) = {version}", soname)
    for capability in expected:
        if capability not in facts.header.provides:
            yield Finding("metadata", plan.nevra, f"Provides: {capability}", "none")
    for capability in facts.header.provides:
        if capability not in expected and not _DEVELOPMENT.fullmatch(capability):
            names = ", ".join(expected)
            yield Finding("metadata", plan.nevra, names, f"Provides: {capability}")


def features(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The rpm of the dist can read the package: its features, its payload, its file digests."""
    rpm, tags = plan.root.rpm, facts.header.tags
    for capability in facts.header.requires:
        found = _FEATURE.match(capability)
        if found and found[1] not in rpm.features:
            expected = f"a feature that rpm {rpm.version} of {plan.root.dist} has"
            yield Finding("features", "Requires", expected, capability)
    if tags.get("PAYLOADFORMAT") != _ARCHIVE:
        yield Finding("features", "payload format", _ARCHIVE, tags.get("PAYLOADFORMAT", "none"))
    if asked := rpm.macros.get("_binary_payload"):
        got = f"{tags.get('PAYLOADCOMPRESSOR', 'none')} {tags.get('PAYLOADFLAGS', 'at no level')}"
        if got != _payload(asked):
            yield Finding("features", "payload", _payload(asked), got)
    digest = rpm.macros.get("_binary_filedigest_algorithm")
    got = tags.get("FILEDIGESTALGO", _OLDEST_DIGEST)
    if digest and got != digest:
        yield Finding("features", "file digest algorithm", digest, got)


def _payload(asked: str) -> str:
    """What rpm's tags call a payload that is asked for; what we do not know is no package's."""
    found = _PAYLOAD.fullmatch(asked)
    return f"{_COMPRESSORS[found['stream']]} {found['flags']}" if found else f"that of {asked}"


def scriptlets(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Nothing of ours is run by rpm, but for Lua that sweeps empty folders after a removal."""
    swept = plan.recipe.folders == "swept"
    for name, scriptlet in facts.header.scriptlets.items():
        if not swept or name != _SWEEP:
            got = scriptlet.body or f"-p {scriptlet.program}"
            yield Finding("scriptlets", f"%{name}", "none", got)
    sweep = facts.header.scriptlets.get(_SWEEP)
    if swept and (sweep is None or sweep.program != _LUA):
        got = sweep.program if sweep else "none"
        yield Finding("scriptlets", f"%{_SWEEP}", f"a scriptlet run by {_LUA}", got)
