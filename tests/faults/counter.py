"""How much was tested: a run that tests less than before looks just as green."""

from collections import Counter

COUNTS: Counter[str] = Counter()


def count(what: str) -> None:
    """Count one more of a kind."""
    COUNTS[what] += 1


def summary() -> str:
    """All kinds with their numbers, in the order in which they began."""
    return ", ".join(f"{number} {what}" for what, number in COUNTS.items())
