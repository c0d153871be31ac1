"""All checks of a package, in the order in which their findings are told."""

from collections.abc import Callable, Iterator

from pipeline.checks import dependencies, evidence, files, library, metadata
from pipeline.model import Facts, Finding, Plan

# A check takes the facts of a package, the plan that it was made by, and the lines of its manifest.
# It reads nothing else and changes nothing; its name is the first word of its findings.
Check = Callable[[Facts, Plan, tuple[str, ...]], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    metadata.nevra,
    metadata.metadata,
    metadata.features,
    metadata.scriptlets,
    files.manifest,
    files.modes,
    files.links,
    library.soname,
    library.exports,
    library.hardening,
    library.instructions,
    library.pages,
    library.tls,
    library.stripped,
    dependencies.floor,
    dependencies.libraries,
    dependencies.requires,
    evidence.traces,
    evidence.trials,
)


def judge(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> list[Finding]:
    """Everything that is wrong with a package; empty where it is as it was meant to be."""
    return [finding for check in CHECKS for finding in check(facts, plan, manifest)]
