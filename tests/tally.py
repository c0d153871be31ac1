"""What a run tried and what it could not: a run that tests less than before looks just as green."""

from collections import Counter
from typing import Any, NoReturn

import pytest

# How often each kind of case was tried; and what could not be tested, with the reason.
TRIED: Counter[str] = Counter()
UNTESTED: dict[str, str] = {}


def count(what: str) -> None:
    """Count one more of a kind."""
    TRIED[what] += 1


def untested(what: str, reason: str) -> NoReturn:
    """Skips a test, with a notice at the end of the run."""
    partly_untested(what, reason)
    pytest.skip(reason)


def partly_untested(what: str, reason: str) -> None:
    """Gives a notice at the end of the run; the test goes on without this part."""
    UNTESTED[what] = reason


def of_this_process() -> dict[str, Any]:
    """Both, to be added up by another process."""
    return {"tried": dict(TRIED), "untested": UNTESTED}


def add(other: dict[str, Any]) -> None:
    """Adds what another process says of itself."""
    TRIED.update(other["tried"])
    UNTESTED.update(other["untested"])


def write(terminal: pytest.TerminalReporter) -> None:
    """Prints the counts, and a section for everything that could not be tested."""
    if TRIED:
        counts = ", ".join(f"{number} {what}" for what, number in TRIED.items())
        terminal.write_line(f"tried: {counts}")
    for what, reason in UNTESTED.items():
        terminal.section(f"{what} WAS NOT TESTED", sep="!", red=True, bold=True)
        terminal.line(reason)
