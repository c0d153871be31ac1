"""The shared library of a package: what it says of itself, and how it was compiled and linked."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from pipeline.model import Facts, Finding, Isa, Plan

# How many instructions of a group a finding names.
_SHOWN = 5


def soname(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library is there, for this machine, under the recipe's soname, and searches no folder."""
    library, subject = facts.library, str(plan.library)
    if library is None:
        yield Finding("soname", subject, "a shared library", "no such file")
        return
    if library.machine != plan.processor.name:
        yield Finding("soname", f"machine of {subject}", plan.processor.name, library.machine)
    if library.soname != plan.soname:
        got = library.soname or "none"
        yield Finding("soname", f"soname of {subject}", plan.soname, got)
    if library.rpath:
        yield Finding("soname", f"search path of {subject}", "none", library.rpath)


def exports(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library defines every symbol that it must take over from the C library."""
    if facts.library is None:
        return
    missing = [name for name in plan.package.overrides if name not in facts.library.exports]
    if missing:
        expected = f"the {len(plan.package.overrides)} symbols of the package's overrides"
        got = f"without {', '.join(missing)}"
        yield Finding("exports", f"symbols of {plan.library}", expected, got)


def hardening(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library has every trait that the build root demands, on this machine.

    Left out are traits that leave no mark in the release at hand; its recipe names them.
    """
    if facts.library is None:
        return
    demanded = (*plan.root.hardening, *plan.machine.hardening)
    wanted = [trait for trait in demanded if trait not in plan.recipe.unmarked]
    missing = [trait for trait in wanted if trait not in facts.library.hardening]
    if missing:
        got = f"without {', '.join(missing)}"
        yield Finding("hardening", str(plan.library), ", ".join(wanted), got)


def instructions(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """No instruction is one that the oldest processors of the dist lack.

    ``harmless``, ``known`` and ``foreign`` may hold patterns, such as ``ldadd*``. They are matched
    with each word of an instruction: ``lock cmpxchg16b`` has two. The last two are about
    instructions of no group.
    """
    for group, counts in facts.library.instructions.items() if facts.library else ():
        refused = {name: count for name, count in counts.items() if _lacking(group, name, plan.isa)}
        if refused:
            subject = f"instructions of {group or 'no group'} in {plan.library.name}"
            expected = f"only those of {plan.machine.isa}: {', '.join(plan.isa.groups)}"
            yield Finding("instructions", subject, expected, _told(refused))


def _lacking(group: str, mnemonic: str, isa: Isa) -> bool:
    words = mnemonic.split()
    if group:
        return group not in isa.groups and not _any_match(words, isa.harmless)
    known = (*isa.known, *isa.harmless)
    return _any_match(words, isa.foreign) and not _any_match(words, known)


def _any_match(words: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def _told(counts: Mapping[str, int]) -> str:
    often = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{name} ({count})" for name, count in often[:_SHOWN]]
    left = sum(count for _, count in often[_SHOWN:])
    return ", ".join([*told, f"{left} more"] if left else told)


def pages(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Every kernel of the dist can load the library, also one with large pages."""
    if facts.library is None:
        return
    page, got = plan.processor.page, facts.library.load_alignment
    if got < page or got % page:
        subject = f"alignment of the segments of {plan.library}"
        yield Finding("pages", subject, f"a multiple of {page} bytes", f"{got} bytes")


def tls(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Thread-local storage is small, and there from the start: no allocation to reach it.

    An allocator that is called by the loader, while the loader makes room for its thread-local
    storage, never returns.
    """
    if facts.library is None:
        return
    subject, ceiling = f"thread-local storage of {plan.library}", plan.package.tls_ceiling
    if facts.library.tls > ceiling:
        yield Finding("tls", subject, f"{ceiling} bytes or less", f"{facts.library.tls} bytes")
    if not facts.library.static_tls:
        yield Finding("tls", subject, "the initial-exec model", "a model that asks the loader")


def stripped(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library carries nothing that only a debugger reads."""
    if facts.library and facts.library.leftovers:
        got = ", ".join(facts.library.leftovers)
        yield Finding("stripped", f"sections of {plan.library}", "no debug sections", got)
