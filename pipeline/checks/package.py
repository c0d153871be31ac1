"""All checks of a package, in the order of their findings."""

from collections.abc import Callable, Iterator

from pipeline.checks import dependencies, files, library, metadata
from pipeline.model import Facts, Finding, Library, Plan

# A check is a pure function of the facts of a package, its plan, and the lines of its manifest; one
# of the library has only that and the plan. Its name is the first word of its findings.
Check = Callable[[Facts, Plan, tuple[str, ...]], Iterator[Finding]]
LibraryCheck = Callable[[Library, Plan], Iterator[Finding]]


def host_names(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """The package contains no path or name of the build host."""
    for place, name in facts.host_names:
        yield Finding("host_names", place, "no path or name of the build host", name)


def trials(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """All required programs ran on the package, and all programs passed."""
    for trial in facts.trials:
        if not trial.passed:
            yield Finding("trials", trial.name, "passed", trial.output.strip() or "failed")
    names = [trial.name for trial in facts.trials]
    for name in facts.required:
        if name not in names:
            yield Finding("trials", name, "passed", "did not run")
    if not names:
        yield Finding("trials", facts.file_name, "programs that ran on it", "none")


CHECKS: tuple[Check, ...] = (
    *(metadata.nevra, metadata.metadata, metadata.features, metadata.scriptlets),
    *(files.manifest, files.modes, files.links, files.license),
    *(dependencies.floor, dependencies.libraries, dependencies.requires),
    *(host_names, trials),
)
LIBRARY_CHECKS: tuple[LibraryCheck, ...] = (
    *(library.soname, library.exports, library.hooks, library.hardening),
    *(library.instructions, library.pages, library.tls, library.stripped),
)


def check_package(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> list[Finding]:
    """Everything that is wrong with a package."""
    findings = [finding for check in CHECKS for finding in check(facts, plan, manifest)]
    if facts.library is None:
        findings.append(Finding("soname", str(plan.library), "a shared library", "no such file"))
        return findings
    for check_library in LIBRARY_CHECKS:
        findings += check_library(facts.library, plan)
    return findings
