"""How much was tried: a campaign that tries less than it did looks just as green."""

from __future__ import annotations

from collections import Counter

TRIED: Counter[str] = Counter()


def tried(what: str) -> None:
    """Counts one more of a kind."""
    TRIED[what] += 1


def told() -> str:
    """All kinds and their numbers, in the order in which they began."""
    return ", ".join(f"{number} {what}" for what, number in TRIED.items())
