"""Checks of what a package needs of its system: symbol versions, libraries, capabilities."""

import re
from collections.abc import Iterator

from packaging.version import Version

from pipeline.model import Facts, Finding, Plan, VersionedSymbol

_GLIBC = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")
_CAPABILITY = re.compile(r"(?P<library>[^()\s]+)\((?P<version>[^()]*)\)\(64bit\)")

# Capabilities that the loader and rpm provide; the check `features` compares those of rpm.
_LOADER = "rtld(GNU_HASH)"
RPMLIB = re.compile(r"rpmlib\([A-Za-z]+\)( <= \S+)?")

# Kinds of dependencies besides Requires.
_OTHER_KINDS = ("CONFLICT", "OBSOLETE", "RECOMMEND", "SUGGEST", "SUPPLEMENT", "ENHANCE", "ORDER")

# Where pkg-config and cmake files name the libraries to link with. libatomic is what upstream's
# probe adds: the library does not need it, and a base installation does not have it.
_PKG_CONFIG = re.compile(r"^Libs(?:\.private)?:(.*)$", re.MULTILINE)
_CMAKE = re.compile(r'INTERFACE_LINK_LIBRARIES\s+"([^"]*)"')
_LINK_ONLY = re.compile(r"\\?\$<LINK_ONLY:(.*)>")
_UNWANTED = re.compile(r"(-l)?atomic|.*\blibatomic\b.*")


def floor(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """No symbol is newer than the C library of the dist, and none is of unknown origin."""
    ceiling = plan.root.glibc
    expected = f"GLIBC_{ceiling} or older ({plan.root.dist})"
    for symbol in facts.library.symbols if facts.library else ():
        if not _is_within(symbol.version, ceiling):
            got = symbol.version or "no version: no linked library defines it"
            yield Finding("floor", _label(symbol), expected, got)
    for capability in facts.header.requires:
        match = _CAPABILITY.fullmatch(capability)
        if match and match["version"] and not _is_within(match["version"], ceiling):
            yield Finding("floor", f"Requires: {capability}", expected, match["version"])


def _is_within(version: str, ceiling: str) -> bool:
    match = _GLIBC.fullmatch(version)
    return match is not None and Version(match[1]) <= Version(ceiling)


def _label(symbol: VersionedSymbol) -> str:
    """The symbol in the notation of binutils, and the file that defines it."""
    name = "@".join(part for part in (symbol.name, symbol.version) if part)
    return f"{name} from {symbol.file}" if symbol.file else name


def libraries(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package needs only libraries of a base installation, and names only those to others."""
    for name in facts.library.needed if facts.library else ():
        if name not in plan.libraries:
            subject = f"DT_NEEDED of {plan.library.name}"
            yield Finding("libraries", subject, f"one of {', '.join(plan.libraries)}", name)
    for path, text in facts.texts.items():
        for name in _linked(path, text):
            if name.startswith("/"):
                yield Finding("libraries", path, "the name of a library, not a path", name)
            elif _UNWANTED.fullmatch(name):
                yield Finding("libraries", path, "only libraries of a base installation", name)


def _linked(path: str, text: str) -> Iterator[str]:
    """The libraries that an installed file names to the linker of other programs."""
    if path.endswith(".pc"):
        for line in _PKG_CONFIG.findall(text):
            yield from line.split()
        return
    for names in _CMAKE.findall(text):
        yield from (_LINK_ONLY.sub(r"\1", name) for name in names.split(";") if name)


def requires(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package requires what its library needs, and nothing else."""
    needed = facts.library.needed if facts.library else ()
    for capability in (f"{name}()(64bit)" for name in needed):
        if capability not in facts.header.requires:
            yield Finding("requires", plan.nevra, f"Requires: {capability}", "none")
    for capability in facts.header.requires:
        match = _CAPABILITY.fullmatch(capability)
        is_library = match is not None and match["library"] in plan.libraries
        is_own = capability == _LOADER or RPMLIB.fullmatch(capability)
        if not is_library and not is_own:
            got = f"Requires: {capability}"
            yield Finding("requires", plan.nevra, "the C library's, or rpm's", got)
    yield from other_kinds(facts)


def other_kinds(facts: Facts) -> Iterator[Finding]:
    """A package has no dependencies of other kinds than Requires."""
    for kind in _OTHER_KINDS:
        if names := facts.header.tags.get(f"{kind}NAME"):
            got = f"{kind.capitalize()}s: {', '.join(names.splitlines())}"
            subject = facts.file_name.removesuffix(".rpm")
            yield Finding("requires", subject, "no dependency but Requires", got)
