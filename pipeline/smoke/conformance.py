"""The verdict on what an allocator keeps of the C library's promises, by the counts of probes."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pipeline.model import Trial
from pipeline.system import process

# With it, the probe of the rules refuses to run on another allocator, and first calls are not made.
ARGUMENT = "mimalloc"

_COUNTS = re.compile(r"^conformance: ([a-z-]+) calls (\d+) violations (\d+)$", re.MULTILINE)
_TOTAL = re.compile(r"^first-call: total calls [1-9]\d* violations 0$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A probe that has ended: its exit code, output and error output; no code: it did not run."""

    code: int | None
    output: str
    errors: str

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Calls and violations of each rule."""
        rows = _COUNTS.findall(self.output)
        return {rule: (int(calls), int(bad)) for rule, calls, bad in rows if rule != "total"}

    def of_rule(self, rule: str) -> str:
        """What the probe says of one rule: its first violations, and the counts."""
        lines = (self.errors + self.output).splitlines()
        texts = (line.partition(f"conformance: {rule}")[2] for line in lines)
        return "\n".join(text.strip(" :") for text in texts if text.startswith((": ", " ")))


def rules(outcomes: Mapping[str, Outcome], accepted: Collection[str]) -> tuple[Trial, ...]:
    """The trial ``conformance``, and ``conformance: <rule>`` for each rule.

    The rules that a recipe accepts must be violated, and no others. ``outcomes`` are those of the
    preloaded library and of what programs link with, by name.
    """
    counted = {name: outcome for name, outcome in outcomes.items() if outcome.counts}
    names = dict.fromkeys(rule for outcome in counted.values() for rule in outcome.counts)
    trials = [_rule(rule, counted, rule in accepted) for rule in names]
    failed = ", ".join(trial.name.partition(": ")[2] for trial in trials if not trial.passed)
    faults = [*_incomplete(outcomes), *([f"rules that do not hold: {failed}"] if failed else [])]
    faults += [
        f"there is no rule {rule}, which the recipe accepts"
        for rule in accepted
        if rule not in names
    ]
    return Trial("conformance", not faults, "\n".join(faults or ["all rules hold"])), *trials


def _incomplete(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """The probes that did not come to their end."""
    for name, outcome in outcomes.items():
        violated = any(violations for _, violations in outcome.counts.values())
        if not outcome.counts or outcome.code != violated:
            yield f"{name}: {process.last_lines(outcome.errors)}"
            yield "it did not run" if outcome.code is None else f"exit code {outcome.code}"


def _rule(rule: str, outcomes: Mapping[str, Outcome], accepted: bool) -> Trial:
    """The trial of one rule: tried everywhere, and violated nowhere, or somewhere if accepted."""
    counts = [outcome.counts.get(rule, (0, 0)) for outcome in outcomes.values()]
    tried, violated = all(calls for calls, _ in counts), any(bad for _, bad in counts)
    texts = _by_text({name: outcome.of_rule(rule) for name, outcome in outcomes.items()})
    if accepted:
        texts.append(
            "accepted by the recipe" + ("" if violated else ", but no longer needed there")
        )
    return Trial(f"conformance: {rule}", tried and violated == accepted, "\n".join(texts))


def first_call(outcomes: Mapping[str, Outcome]) -> Trial:
    """The trial ``first-call``: every entry point is usable as the first that a process calls."""
    passed = all(
        outcome.code == 0 and _TOTAL.search(outcome.output) for outcome in outcomes.values()
    )
    texts = {
        name: (outcome.errors + outcome.output).strip()
        + ("" if outcome.code == 0 else f"\nexit code {outcome.code}")
        for name, outcome in outcomes.items()
    }
    return Trial("first-call", passed, "\n".join(_by_text(texts)))


def _by_text(texts: Mapping[str, str]) -> list[str]:
    """What the variants print, each text once, after the names of those that print it."""
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text or "not tried", []).append(name)
    return [f"{', '.join(those)}: {text}" for text, those in names.items()]
