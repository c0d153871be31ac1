"""All checks of a package, in the order of their findings."""

from collections.abc import Callable, Iterator

from pipeline.checks import dependencies, evidence, files, library, metadata
from pipeline.model import Facts, Finding, Plan

# A check takes the facts of a package, its plan, and the lines of its manifest. It is a pure
# function; its name is the first word of its findings.
Check = Callable[[Facts, Plan, tuple[str, ...]], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *(metadata.nevra, metadata.metadata, metadata.features, metadata.scriptlets),
    *(files.manifest, files.modes, files.links),
    *(library.soname, library.exports, library.hardening, library.instructions),
    *(library.pages, library.tls, library.stripped),
    *(dependencies.floor, dependencies.libraries, dependencies.requires),
    *(evidence.host_names, evidence.trials),
)


def check_package(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> list[Finding]:
    """Everything that is wrong with a package."""
    return [finding for check in CHECKS for finding in check(facts, plan, manifest)]
