"""Checks of the shared library: its identity, and how it was compiled and linked."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline.model import Facts, Finding, Isa, Plan

# The number of instructions of a group that a finding names.
_SHOWN = 5


def soname(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library exists, has the planned machine and soname, and no search path."""
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
    """The library defines every symbol that it must override."""
    if facts.library is None:
        return
    missing = [name for name in plan.package.overrides if name not in facts.library.exports]
    if missing:
        expected = f"the {len(plan.package.overrides)} symbols of the package's overrides"
        got = f"without {', '.join(missing)}"
        yield Finding("exports", f"symbols of {plan.library}", expected, got)


def hardening(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library has every hardening trait that the build root requires on this machine.

    Exceptions are the traits that cannot be seen in this release, according to its recipe.
    """
    if facts.library is None:
        return
    required = (*plan.root.hardening, *plan.machine.hardening)
    expected = [trait for trait in required if trait not in plan.recipe.unmarked]
    missing = [trait for trait in expected if trait not in facts.library.hardening]
    if missing:
        got = f"without {', '.join(missing)}"
        yield Finding("hardening", str(plan.library), ", ".join(expected), got)


def instructions(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The oldest processors of the dist can execute every instruction.

    ``harmless``, ``known`` and ``foreign`` of the instruction set may contain patterns, such as
    ``ldadd*``. A pattern matches any word of an instruction: ``lock cmpxchg16b`` has two.
    """
    for group, counts in facts.library.instructions.items() if facts.library else ():
        names = [name for name in counts if _is_missing(group, name, plan.isa)]
        if names:
            names.sort(key=lambda name: (-counts[name], name))
            shown = [f"{name} ({counts[name]})" for name in names[:_SHOWN]]
            if rest := sum(counts[name] for name in names[_SHOWN:]):
                shown.append(f"{rest} more")
            subject = f"instructions of {group or 'no group'} in {plan.library.name}"
            expected = f"only those of {plan.machine.isa}: {', '.join(plan.isa.groups)}"
            yield Finding("instructions", subject, expected, ", ".join(shown))


def _is_missing(group: str, instruction: str, isa: Isa) -> bool:
    """Whether the processors of a level lack an instruction."""
    words = instruction.split()
    if group:
        return group not in isa.groups and not _any_match(words, isa.harmless)
    known = (*isa.known, *isa.harmless)
    return _any_match(words, isa.foreign) and not _any_match(words, known)


def _any_match(words: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def pages(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Kernels with the largest page size of the processor can load the library."""
    if facts.library is None:
        return
    page, got = plan.processor.page, facts.library.load_alignment
    if got < page or got % page:
        subject = f"alignment of the segments of {plan.library}"
        yield Finding("pages", subject, f"a multiple of {page} bytes", f"{got} bytes")


def tls(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Thread-local storage is small and static, so that no access to it allocates memory.

    With dynamic storage, the loader may call the allocator, which calls the loader, without end.
    """
    if facts.library is None:
        return
    subject, ceiling = f"thread-local storage of {plan.library}", plan.package.tls_ceiling
    if facts.library.tls > ceiling:
        yield Finding("tls", subject, f"{ceiling} bytes or less", f"{facts.library.tls} bytes")
    if not facts.library.static_tls:
        yield Finding("tls", subject, "the initial-exec model", "a dynamic model")


def stripped(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The library has no section that only a debugger reads."""
    if facts.library and facts.library.leftovers:
        got = ", ".join(facts.library.leftovers)
        yield Finding("stripped", f"sections of {plan.library}", "no debug sections", got)
