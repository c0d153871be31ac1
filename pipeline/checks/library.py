"""Checks of the shared library: its identity, and how it was compiled and linked."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline.model import Finding, Library, Plan

# The number of instructions of a group that a finding names.
_SHOWN = 5


def soname(library: Library, plan: Plan) -> Iterator[Finding]:
    """The library has the planned machine and soname, and no search path."""
    subject = str(plan.library)
    if library.machine != plan.processor.name:
        yield Finding("soname", f"machine of {subject}", plan.processor.name, library.machine)
    if library.soname != plan.soname:
        got = library.soname or "none"
        yield Finding("soname", f"soname of {subject}", plan.soname, got)
    if library.rpath:
        yield Finding("soname", f"search path of {subject}", "none", library.rpath)


def exports(library: Library, plan: Plan) -> Iterator[Finding]:
    """The library defines every symbol that it must override, and none that is a program's own."""
    package, subject = plan.package, f"symbols of {plan.library}"
    missing = [name for name in package.overrides if name not in library.exports]
    if missing:
        expected = f"the {len(package.overrides)} symbols of the package's overrides"
        yield Finding("exports", subject, expected, f"without {', '.join(missing)}")
    known = {*package.overrides, *package.hooks.exports}
    foreign = [name for name in sorted(set(library.exports) - known) if not _may_export(name, plan)]
    if foreign:
        expected = "only those of the package's overrides and exports"
        yield Finding("exports", subject, expected, f"also {', '.join(foreign)}")


def _may_export(name: str, plan: Plan) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in plan.package.exports)


def hooks(library: Library, plan: Plan) -> Iterator[Finding]:
    """The library defines the malloc hooks of the dist's C library, or none where it has none."""
    defined = tuple(name for name in plan.package.hooks.exports if name in library.exports)
    if defined != plan.hooks:
        expected, got = (", ".join(names) or "none" for names in (plan.hooks, defined))
        yield Finding("hooks", f"malloc hooks in {plan.library}", expected, got)


def hardening(library: Library, plan: Plan) -> Iterator[Finding]:
    """The library has every hardening trait that the build root requires on this machine.

    Exceptions are the traits that cannot be seen in this release, according to its recipe.
    """
    required = (*plan.root.hardening, *plan.machine.hardening)
    expected = [trait for trait in required if trait not in plan.recipe.unmarked]
    missing = [trait for trait in expected if trait not in library.hardening]
    if missing:
        got = f"without {', '.join(missing)}"
        yield Finding("hardening", str(plan.library), ", ".join(expected), got)


def instructions(library: Library, plan: Plan) -> Iterator[Finding]:
    """The oldest processors of the dist can execute every instruction.

    Patterns in the file of the processor, such as ``ldadd*``, match any word of an instruction:
    ``lock cmpxchg16b`` has two.
    """
    for group, counts in library.instructions.items():
        names = [name for name in counts if _is_missing(group, name, plan)]
        if names:
            names.sort(key=lambda name: (-counts[name], name))
            shown = [f"{name} ({counts[name]})" for name in names[:_SHOWN]]
            if rest := sum(counts[name] for name in names[_SHOWN:]):
                shown.append(f"{rest} more")
            subject = f"instructions of {group or 'no group'} in {plan.library.name}"
            expected = f"only those of {plan.machine.isa}: {', '.join(plan.isa.groups)}"
            yield Finding("instructions", subject, expected, ", ".join(shown))


def _is_missing(group: str, instruction: str, plan: Plan) -> bool:
    """Whether the processors of the plan's level lack an instruction."""
    words = instruction.split()
    ungrouped = plan.processor.ungrouped.items()
    groups = {group} if group else {name for name, own in ungrouped if _any_match(words, own)}
    lacks = bool(groups) and groups.isdisjoint(plan.isa.groups)
    return lacks and not _any_match(words, plan.isa.harmless)


def _any_match(words: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def pages(library: Library, plan: Plan) -> Iterator[Finding]:
    """Kernels with the largest page size of the processor can load the library."""
    page, got = plan.processor.page, library.load_alignment
    if got < page or got % page:
        subject = f"alignment of the segments of {plan.library}"
        yield Finding("pages", subject, f"a multiple of {page} bytes", f"{got} bytes")


def tls(library: Library, plan: Plan) -> Iterator[Finding]:
    """Thread-local storage is small and static, so that no access to it allocates memory.

    With dynamic storage, the loader may call the allocator, which calls the loader, without end.
    """
    subject, ceiling = f"thread-local storage of {plan.library}", plan.package.tls_ceiling
    if library.tls > ceiling:
        yield Finding("tls", subject, f"{ceiling} bytes or less", f"{library.tls} bytes")
    if not library.static_tls:
        yield Finding("tls", subject, "the initial-exec model", "a dynamic model")


def stripped(library: Library, plan: Plan) -> Iterator[Finding]:
    """The library has no section that only a debugger reads."""
    if library.leftovers:
        got = ", ".join(library.leftovers)
        yield Finding("stripped", f"sections of {plan.library}", "no debug sections", got)
