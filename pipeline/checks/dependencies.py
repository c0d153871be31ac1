"""What a package needs of the system that it is installed on: symbols, libraries, capabilities."""

import re
from collections.abc import Iterator

from packaging.version import Version

from pipeline.model import Facts, Finding, Plan, VersionedSymbol

_GLIBC = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")
_CAPABILITY = re.compile(r"(?P<library>[^()\s]+)\((?P<version>[^()]*)\)\(64bit\)")

# Capabilities that the loader and rpm themselves provide; `features` judges those of rpm.
_LOADER = "rtld(GNU_HASH)"
RPMLIB = re.compile(r"rpmlib\([A-Za-z]+\)( <= \S+)?")

# Other ways in which one package can ask something of others.
_BONDS = ("CONFLICT", "OBSOLETE", "RECOMMEND", "SUGGEST", "SUPPLEMENT", "ENHANCE", "ORDER")

# Where installed files tell other builds what to link with, and the one name that upstream's own
# probe puts there although the library does not need it, and a base installation does not have it.
_PKG_CONFIG = re.compile(r"^Libs(?:\.private)?:(.*)$", re.MULTILINE)
_CMAKE = re.compile(r'INTERFACE_LINK_LIBRARIES\s+"([^"]*)"')
_LINK_ONLY = re.compile(r"\\?\$<LINK_ONLY:(.*)>")
_UNWANTED = re.compile(r"(-l)?atomic|.*\blibatomic\b.*")


def floor(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """No symbol is newer than the C library of the dist, and none is of unknown origin."""
    ceiling = plan.root.glibc
    expected = f"GLIBC_{ceiling} or older ({plan.root.dist})"
    for symbol in facts.library.symbols if facts.library else ():
        if not _within(symbol.version, ceiling):
            got = symbol.version or "no version: no library that was linked with defines it"
            yield Finding("floor", _label(symbol), expected, got)
    for capability in facts.header.requires:
        found = _CAPABILITY.fullmatch(capability)
        if found and found["version"] and not _within(found["version"], ceiling):
            yield Finding("floor", f"Requires: {capability}", expected, found["version"])


def _within(version: str, ceiling: str) -> bool:
    found = _GLIBC.fullmatch(version)
    return found is not None and Version(found[1]) <= Version(ceiling)


def _label(symbol: VersionedSymbol) -> str:
    """The symbol as binary tools write it, and the file that defines it."""
    name = "@".join(part for part in (symbol.name, symbol.version) if part)
    return f"{name} from {symbol.file}" if symbol.file else name


def libraries(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library needs no other than a base installation has, and tells builds of no other."""
    allowed = plan.libraries
    for name in facts.library.needed if facts.library else ():
        if name not in allowed:
            subject = f"DT_NEEDED of {plan.library.name}"
            yield Finding("libraries", subject, f"one of {', '.join(allowed)}", name)
    for path, text in facts.texts.items():
        for name in _linked(path, text):
            if name.startswith("/"):
                yield Finding("libraries", path, "libraries by name, not by a host's path", name)
            elif _UNWANTED.fullmatch(name):
                yield Finding("libraries", path, "only libraries that a base install has", name)


def _linked(path: str, text: str) -> Iterator[str]:
    """What an installed file tells other builds to link with."""
    if path.endswith(".pc"):
        for line in _PKG_CONFIG.findall(text):
            yield from line.split()
        return
    for names in _CMAKE.findall(text):
        yield from (_LINK_ONLY.sub(r"\1", name) for name in names.split(";") if name)


def requires(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package asks rpm for what its library needs and for its own soname: no more, no less."""
    own = f"{plan.soname}()(64bit)"
    needed = facts.library.needed if facts.library else ()
    for capability in (own, *(f"{name}()(64bit)" for name in needed)):
        if capability not in facts.header.requires:
            yield Finding("requires", plan.nevra, f"Requires: {capability}", "none")
    for capability in facts.header.requires:
        if not _is_known(capability, plan, own):
            expected = f"the C library's, rpm's, or {own}"
            yield Finding("requires", plan.nevra, expected, f"Requires: {capability}")
    yield from bonds(facts)


def bonds(facts: Facts) -> Iterator[Finding]:
    """Beside what it requires, a package has no bond with another."""
    for bond in _BONDS:
        if names := facts.header.tags.get(f"{bond}NAME"):
            got = f"{bond.capitalize()}s: {', '.join(names.splitlines())}"
            subject = facts.file_name.removesuffix(".rpm")
            yield Finding("requires", subject, "no bond with other packages", got)


def _is_known(capability: str, plan: Plan, own: str) -> bool:
    if capability in (_LOADER, own) or RPMLIB.fullmatch(capability):
        return True
    found = _CAPABILITY.fullmatch(capability)
    return found is not None and found["library"] in plan.libraries
