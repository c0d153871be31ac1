"""The checks of the sub-package with the drop-in: its header, its scriptlets, its drop-in."""

from collections.abc import Iterator

from pipeline.checks import dependencies, files, metadata
from pipeline.checks.package import Check, host_names
from pipeline.model import Facts, Finding, Plan, PlannedSubpackage

_SHELL = "/bin/sh"
_SECTION = "[Service]"

# The only scriptlet, for dists where systemd's own package does not do it: systemd reads its unit
# files. Administrators restart the service.
_RELOAD = "[ ! -d /run/systemd/system ] || systemctl daemon-reload >/dev/null 2>&1 || :"
_EVENTS = ("post", "postun")

# The checks that it has in common with the package.
_SHARED: tuple[Check, ...] = (metadata.features, files.manifest, files.modes, host_names)


def check_subpackage(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> list[Finding]:
    """Everything that is wrong with a sub-package."""
    subpackage = plan.subpackage
    if subpackage is None:
        return [Finding("nevra", facts.file_name, "no sub-package of this flavor", "one")]
    return [
        *_header(facts, plan, subpackage),
        *(finding for check in _SHARED for finding in check(facts, plan, manifest)),
        *_scriptlets(facts, plan),
        *_dropin(facts, plan, subpackage),
        *_requires(facts, plan),
        *files.marked_license(facts, subpackage.name),
    ]


def _header(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """Names and texts are those of the sub-package; the rest is the same as in the package."""
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
    """The scriptlets reload systemd where the dist needs that, and there are no others."""
    events = _EVENTS if plan.root.reload == "scriptlets" else ()
    expected = dict.fromkeys(events, f"{_SHELL}: {_RELOAD}")
    actual = facts.header.scriptlets
    for name in sorted({*expected, *actual}):
        wanted, got = expected.get(name, "none"), actual.get(name, "none")
        if wanted != got:
            yield Finding("scriptlets", f"%{name}", wanted, got)


def _dropin(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """The drop-in sets one variable, which makes the loader preload the library."""
    text = facts.texts.get(str(subpackage.dropin))
    lines = [line for line in (text or "").splitlines() if line and not line.startswith("#")]
    expected = [_SECTION, f"Environment=LD_PRELOAD={plan.preload}"]
    if lines != expected:
        got = "no such file" if text is None else " ".join(lines) or "nothing"
        yield Finding("dropin", str(subpackage.dropin), " ".join(expected), got)


def _requires(facts: Facts, plan: Plan) -> Iterator[Finding]:
    """The sub-package requires the package of the same version and release, for its library."""
    expected = {f"{plan.name} = {plan.recipe.version}-{plan.release}"}
    if plan.root.reload == "scriptlets":
        expected |= {_SHELL, "systemd"}
    actual = {name for name in facts.header.requires if not dependencies.RPMLIB.fullmatch(name)}
    for capability in sorted(expected - actual):
        yield Finding("requires", facts.file_name, f"Requires: {capability}", "none")
    for capability in sorted(actual - expected):
        names = ", ".join(sorted(expected))
        yield Finding("requires", facts.file_name, names, f"Requires: {capability}")
    yield from dependencies.other_kinds(facts)
