"""The sub-package that switches a service on: its header, its scriptlets, its drop-in."""

from collections.abc import Iterator

from pipeline.checks import dependencies, evidence, files, metadata
from pipeline.checks.verdict import Check
from pipeline.model import Facts, Finding, Plan, PlannedSubpackage

_SHELL = "/bin/sh"
_SECTION = "[Service]"

# All that a scriptlet of ours may do, where systemd's own package does not do it: have systemd read
# its files. To restart a service is for its administrator.
_RELOAD = "[ ! -d /run/systemd/system ] || systemctl daemon-reload >/dev/null 2>&1 || :"
_EVENTS = ("post", "postun")

# What holds for it as it does for the package.
_SHARED: tuple[Check, ...] = (metadata.features, files.manifest, files.modes, evidence.traces)


def judge(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> list[Finding]:
    """Everything that is wrong with a sub-package; empty where it is as it was meant to be."""
    subpackage = plan.subpackage
    if subpackage is None:
        return [Finding("nevra", facts.file_name, "no sub-package of this flavor", "one")]
    return [
        *_header(facts, plan, subpackage),
        *(finding for check in _SHARED for finding in check(facts, plan, manifest)),
        *_scriptlets(facts, plan),
        *_dropin(facts, plan, subpackage),
        *_requires(facts, plan),
    ]


def _header(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """The names and texts are the sub-package's own; all else is as in the package."""
    if facts.file_name != subpackage.file_name:
        yield Finding("nevra", "file name", subpackage.file_name, facts.file_name)
    own = {
        "NAME": subpackage.name,
        "ARCH": subpackage.arch,
        "PLATFORM": plan.package.platform.format(arch=subpackage.arch),
        "SUMMARY": subpackage.summary,
        "DESCRIPTION": subpackage.description,
    }
    yield from metadata.tags(facts, {**metadata.expected(plan), **own})
    yield from metadata.changelog(facts, plan)
    provided = (f"{subpackage.name} = {plan.recipe.version}-{plan.release}",)
    if facts.header.provides != provided:
        got = ", ".join(facts.header.provides) or "nothing"
        yield Finding("metadata", "Provides", *provided, got)


def _scriptlets(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """systemd reads its files anew, once, and nothing else is done."""
    ours = _EVENTS if plan.root.reload == "scriptlets" else ()
    expected = dict.fromkeys(ours, f"{_SHELL}: {_RELOAD}")
    found = {
        name: f"{each.program}: {each.body.strip()}"
        for name, each in facts.header.scriptlets.items()
    }
    for name in sorted({*expected, *found}):
        wanted, got = expected.get(name, "none"), found.get(name, "none")
        if wanted != got:
            yield Finding("scriptlets", f"%{name}", wanted, got)


def _dropin(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """The drop-in sets one variable: the loader is to preload this release's library."""
    text = facts.texts.get(str(subpackage.dropin))
    lines = [line for line in (text or "").splitlines() if line and not line.startswith("#")]
    expected = [_SECTION, f"Environment=LD_PRELOAD={plan.preload}"]
    if lines != expected:
        got = "no such file" if text is None else " ".join(lines) or "nothing"
        yield Finding("dropin", str(subpackage.dropin), " ".join(expected), got)


def _requires(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """The sub-package asks for the package of just this release, whose file the drop-in names."""
    wanted = {f"{plan.name} = {plan.recipe.version}-{plan.release}"}
    if plan.root.reload == "scriptlets":
        wanted |= {_SHELL, "systemd"}
    found = {each for each in facts.header.requires if not dependencies.RPMLIB.fullmatch(each)}
    for capability in sorted(wanted - found):
        yield Finding("requires", facts.file_name, f"Requires: {capability}", "none")
    for capability in sorted(found - wanted):
        expected = ", ".join(sorted(wanted))
        yield Finding("requires", facts.file_name, expected, f"Requires: {capability}")
    yield from dependencies.bonds(facts)
