"""Several builds as the user sees them: a live table or plain lines, then a summary."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.model import PLAIN, Built, Plan
from pipeline.model.errors import PackagingError
from pipeline.system.report import Report

if TYPE_CHECKING:
    from rich.live import Live

# The result of a plan: a package, the folder of a step, or an error.
Result = Built | Path | PackagingError

# The width of a column of the summary: that of the longest architecture, and a gap.
_WIDTH = 11


class Outcome(NamedTuple):
    """The result of one plan, and how long it took."""

    plan: Plan
    seconds: float
    result: Result


class Progress:
    """Prints a line for each package that is done; on a terminal, a live table of the others."""

    def __init__(self, live: "Live | None" = None) -> None:
        self._live = live

    def line(self, text: str) -> None:
        """Print a line; on a terminal, above the table."""
        if self._live:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            Report().line(text)

    def end(self, outcome: Outcome) -> None:
        """Print the outcome of a package."""
        plan, seconds, result = outcome
        self.line(f"{plan.nevra:<52} {verdict(result):<10} {seconds:7.1f} s")
        if isinstance(result, PackagingError):
            self.line(str(result))
        elif isinstance(result, Path):
            self.line(f"  {result}")

    def draw(self, rows: Iterable[tuple[str, str, float]]) -> None:
        """Draw the table of running builds: package, step, seconds."""
        if not self._live:
            return
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for nevra, step, seconds in rows:
            table.add_row(nevra, step, f"{seconds:.0f} s")
        self._live.update(table, refresh=True)


def live_table() -> "AbstractContextManager[Live | None]":
    """The live table for a terminal; none for other outputs."""
    if not sys.stdout.isatty():
        return nullcontext()
    from rich.live import Live

    # Without a thread of its own, since workers are forked while it is shown.
    return Live(auto_refresh=False, transient=True)


def verdict(result: Result) -> str:
    """The result of a plan in a word or two."""
    if isinstance(result, PackagingError):
        return "FAILED"
    if isinstance(result, Built):
        return "built" if result.fresh else "up to date"
    return "done"


def matrix(cells: Iterable[tuple[Plan, str]]) -> list[str]:
    """A line for each release, a column for each dist and architecture, in the cells' order."""
    texts = {(_row(plan), (plan.root.dist, plan.arch)): text for plan, text in cells}
    rows = list(dict.fromkeys(row for row, _ in texts))
    columns = list(dict.fromkeys(column for _, column in texts))
    return [
        _line("", (dist for dist, _ in columns)),
        _line("mimalloc", (arch for _, arch in columns)),
        *(_line(row, (texts.get((row, column), "") for column in columns)) for row in rows),
    ]


def _row(plan: Plan) -> str:
    version = plan.recipe.version
    return version if plan.variant == PLAIN else f"{version} {plan.variant}"


def _line(head: str, cells: Iterable[str]) -> str:
    return "".join([f"{head:<14}", *(f"{cell:>{_WIDTH}}" for cell in cells)]).rstrip()


def totals(results: Sequence[Result]) -> str:
    """How many packages there are of each verdict."""
    counts = Counter(verdict(result) for result in results)
    return f"{len(results)} packages: " + ", ".join(f"{n} {word}" for word, n in counts.items())
