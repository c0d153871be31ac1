"""What a release does not keep of the C library's promises, compared with the release before."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

# In the log of a check: where the trial of a rule begins, and where those of all rules end.
_TRIAL = re.compile(r"(?:conformance: ([a-z-]+)|first-call): ")
_COUNT = re.compile(r"calls \d+ violations (\d+)$")


def violations(logs: Iterable[str]) -> dict[str, int]:
    """The violations of each rule that was tried, the most of all packages; none is 0."""
    counts: dict[str, int] = {}
    for log in logs:
        rule = ""
        for line in log.splitlines():
            if begun := _TRIAL.match(line):
                rule = begun[1] or ""
            if rule and (count := _COUNT.search(line)):
                counts[rule] = max(counts.get(rule, 0), int(count[1]))
    return counts


def comparison(
    old: Collection[str], new: Mapping[str, int], accepted: Collection[str]
) -> Iterator[str]:
    """What differs between two releases, line by line, and what is left to do.

    ``old`` are the rules that the release before violates, ``new`` the counts of the new one, and
    ``accepted`` the rules that its recipe accepts. Nothing is said of a rule that was not tried.
    """
    violated = sorted(rule for rule, count in new.items() if count and rule not in old)
    kept = sorted(rule for rule, count in new.items() if not count and rule in old)
    if violated:
        left = [rule for rule in violated if rule not in accepted]
        advice = f"; correct with a patch, or give a reason in [[accepted]]: {', '.join(left)}"
        yield f"newly violated: {', '.join(violated)}" + (advice if left else "")
    if kept:
        left = [rule for rule in kept if rule in accepted]
        advice = f"; remove from [[accepted]]: {', '.join(left)}"
        yield f"no longer violated: {', '.join(kept)}" + (advice if left else "")
