"""What was seen when a package was searched and tried: words of the host, programs run on it."""

from collections.abc import Iterator

from pipeline.model import Facts, Finding, Plan


def traces(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """No word of the host that built it is in the package: anyone can build the same bytes."""
    for place, word in facts.traces:
        yield Finding("traces", place, "no word of the building host", word)


def trials(facts: Facts, plan: Plan, manifest: tuple[str, ...]) -> Iterator[Finding]:
    """Programs ran on the package, all that must were among them, and all was right."""
    for trial in facts.trials:
        if not trial.passed:
            yield Finding("trials", trial.name, "passed", trial.output.strip() or "failed")
    names = [trial.name for trial in facts.trials]
    for name in facts.required:
        if name not in names:
            yield Finding("trials", name, "passed", "did not run")
    if not names:
        yield Finding("trials", facts.file_name, "programs run on it", "none")
