"""Checks of what a search and test programs showed: names of the build host, failed programs."""

from collections.abc import Iterator

from pipeline.model import Facts, Finding, Plan


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
