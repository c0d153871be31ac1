"""The checks of a sub-package: its header, its scriptlets, its files, its drop-in if it has one."""

from collections.abc import Iterator, Mapping

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


def check_subpackage(
    facts: Facts,
    plan: Plan,
    subpackage: PlannedSubpackage,
    manifest: tuple[str, ...],
    contents: Mapping[str, str],
) -> list[Finding]:
    """Everything that is wrong with a sub-package; ``contents`` are the texts of its files."""
    return [
        *_header(facts, plan, subpackage),
        *(finding for check in _SHARED for finding in check(facts, plan, manifest)),
        *_scriptlets(facts, plan, subpackage),
        *_content(facts, subpackage, contents),
        *_dropin(facts, plan, subpackage),
        *_requires(facts, plan, subpackage),
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


def _reloads(plan: Plan, subpackage: PlannedSubpackage) -> bool:
    return bool(subpackage.unit) and plan.root.reload == "scriptlets"


def _scriptlets(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """The scriptlets reload systemd where the dist needs that, and there are no others."""
    events = _EVENTS if _reloads(plan, subpackage) else ()
    expected = dict.fromkeys(events, f"{_SHELL}: {_RELOAD}")
    actual = facts.header.scriptlets
    for name in sorted({*expected, *actual}):
        wanted, got = expected.get(name, "none"), actual.get(name, "none")
        if wanted != got:
            yield Finding("scriptlets", f"%{name}", wanted, got)


def _content(
    facts: Facts, subpackage: PlannedSubpackage, contents: Mapping[str, str]
) -> Iterator[Finding]:
    """Each file is, byte for byte, the one of the recipe."""
    for file in subpackage.file:
        if file.path in facts.header.paths and facts.texts.get(file.path) != contents[file.path]:
            source = f"recipes/{file.source}" if file.source else "the generated drop-in"
            yield Finding("content", file.path, source, "another content")


def _dropin(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """The drop-in makes the loader preload the library, sets what the recipe says, and no more."""
    if not subpackage.unit:
        return
    text = facts.texts.get(subpackage.dropin)
    lines = [line for line in (text or "").splitlines() if line and not line.startswith("#")]
    variables = (f"LD_PRELOAD={plan.preload}", *subpackage.environment)
    expected = [_SECTION, *(f"Environment={variable}" for variable in variables)]
    if lines != expected:
        got = "no such file" if text is None else " ".join(lines) or "nothing"
        yield Finding("dropin", subpackage.dropin, " ".join(expected), got)


def _requires(facts: Facts, plan: Plan, subpackage: PlannedSubpackage) -> Iterator[Finding]:
    """What starts a unit on the library requires just that package; programs require a shell."""
    expected = set[str]()
    if subpackage.unit:
        expected.add(f"{plan.name} = {plan.recipe.version}-{plan.release}")
    if subpackage.programs:
        expected.add(_SHELL)
    if _reloads(plan, subpackage):
        expected |= {_SHELL, "systemd"}
    actual = {name for name in facts.header.requires if not dependencies.RPMLIB.fullmatch(name)}
    for capability in sorted(expected - actual):
        yield Finding("requires", facts.file_name, f"Requires: {capability}", "none")
    for capability in sorted(actual - expected):
        names = ", ".join(sorted(expected)) or "none"
        yield Finding("requires", facts.file_name, names, f"Requires: {capability}")
    yield from dependencies.other_kinds(facts)
