"""A package to check, and changes that make it a bad one."""

from dataclasses import dataclass, replace
from typing import Self

from pipeline.checks.package import check_package
from pipeline.model import Facts, Finding, Flavor, Plan


@dataclass(frozen=True)
class Case:
    """A package to check: its facts, its plan, its manifest."""

    facts: Facts
    plan: Plan
    manifest: tuple[str, ...]

    def findings(self) -> list[Finding]:
        """All findings."""
        return check_package(self.facts, self.plan, self.manifest)

    def messages(self) -> list[str]:
        """A line for every finding, as the user sees it."""
        return [" ".join(finding.lines()) for finding in self.findings()]

    def with_facts(self, **changes: object) -> Self:
        """The same, but for some of the facts."""
        return replace(self, facts=replace(self.facts, **changes))  # type: ignore[arg-type]

    def with_library(self, **changes: object) -> Self:
        """The same, but for something of the library."""
        assert self.facts.library is not None
        return self.with_facts(library=replace(self.facts.library, **changes))  # type: ignore[arg-type]

    def with_header(self, **changes: object) -> Self:
        """The same, but for something of the header."""
        return self.with_facts(header=replace(self.facts.header, **changes))  # type: ignore[arg-type]

    def with_tags(self, **changes: str) -> Self:
        """The same, but for some tags of the header."""
        return self.with_header(tags={**self.facts.header.tags, **changes})

    def without_tag(self, name: str) -> Self:
        """The same, without a tag."""
        tags = {tag: value for tag, value in self.facts.header.tags.items() if tag != name}
        return self.with_header(tags=tags)

    def with_file(self, path: str, **changes: object) -> Self:
        """The same, with another entry for a path."""
        assert path in self.facts.header.paths
        files = (
            replace(entry, **changes) if entry.path == path else entry  # type: ignore[arg-type]
            for entry in self.facts.header.files
        )
        return self.with_header(files=tuple(files))

    def with_recipe(self, **changes: object) -> Self:
        """The same, but planned by another recipe."""
        recipe = replace(self.plan.recipe, **changes)  # type: ignore[arg-type]
        return replace(self, plan=replace(self.plan, recipe=recipe))

    def with_root(self, **changes: object) -> Self:
        """The same, but planned for another build root."""
        root = replace(self.plan.root, **changes)  # type: ignore[arg-type]
        return replace(self, plan=replace(self.plan, root=root))

    def with_macros(self, **changes: str) -> Self:
        """The same, but planned for a dist with other macros."""
        rpm = self.plan.root.rpm
        return self.with_root(rpm=replace(rpm, macros={**rpm.macros, **changes}))

    def on(self, arch: str, processor: str) -> Self:
        """The same, but planned for another architecture and kind of processor."""
        machine = {arch: self.plan.machine}
        kind = replace(self.plan.processor, name=processor)
        plan = replace(self.with_root(machine=machine).plan, arch=arch, processor=kind)
        return replace(self, plan=plan)

    def as_flavor(self, variant: str, flavor: Flavor) -> Self:
        """The same, but planned as another flavor."""
        return replace(self, plan=replace(self.plan, variant=variant, flavor=flavor))

    def with_page(self, page: int) -> Self:
        """The same, but for kernels with pages of this many bytes."""
        kind = replace(self.plan.processor, page=page)
        return replace(self, plan=replace(self.plan, processor=kind))
