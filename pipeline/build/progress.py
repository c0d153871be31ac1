"""Many builds at once, as the user sees them: a living table or plain lines, then a summary."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.model import PLAIN, Built, Plan
from pipeline.model.errors import PackagingError

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

# What becomes of a plan.
Result = Built | Path | PackagingError

# The width of a column of the summary: that of the longest architecture, and a gap.
_WIDTH = 11


class Progress:
    """Prints a line for every package that is done; on a terminal, those in the making below it."""

    def __init__(self, live: "Live | None" = None) -> None:
        self._live = live
        self._running: dict[str, tuple[str, float]] = {}

    def begin(self, plan: Plan) -> None:
        """Somebody is at this package now."""
        self._running[plan.nevra] = ("", time.monotonic())

    def step(self, plan: Plan, name: str) -> None:
        """A step of it has begun."""
        self._running[plan.nevra] = (name, self._running[plan.nevra][1])

    def line(self, plan: Plan, text: str) -> None:
        """A line of news about it."""
        self._print(f"{plan.nevra}: {text}")

    def end(self, plan: Plan, seconds: float, result: Result) -> None:
        """It is done, or has failed."""
        del self._running[plan.nevra]
        self._print(f"{plan.nevra:<52} {verdict(result):<10} {seconds:7.1f} s")
        if isinstance(result, PackagingError):
            self._print(str(result))
        elif isinstance(result, Path):
            self._print(f"  {result}")

    def draw(self) -> None:
        """Show how far the running ones are."""
        if self._live:
            self._live.update(self._table(), refresh=True)

    def _print(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for nevra, (step, began) in self._running.items():
            table.add_row(nevra, step, f"{time.monotonic() - began:.0f} s")
        return table


@contextmanager
def progress() -> Iterator[Progress]:
    """The progress of many builds, as fits where our output goes."""
    if not sys.stdout.isatty():
        yield Progress()
        return
    from rich.live import Live

    # No thread of its own: workers are forked while it shows.
    with Live(auto_refresh=False, transient=True) as live:
        yield Progress(live)


def verdict(result: Result) -> str:
    """What became of a plan, in a word or two."""
    if isinstance(result, PackagingError):
        return "FAILED"
    if isinstance(result, Built):
        return "built" if result.fresh else "up to date"
    return "done"


def matrix(cells: Iterable[tuple[Plan, str]]) -> list[str]:
    """Releases by machines: a line for each release, a column for each dist and architecture.

    They come in the order of the cells.
    """
    found = {(_row(plan), (plan.root.dist, plan.arch)): text for plan, text in cells}
    rows = list(dict.fromkeys(row for row, _ in found))
    columns = list(dict.fromkeys(column for _, column in found))
    return [
        _line("", (dist for dist, _ in columns)),
        _line("mimalloc", (arch for _, arch in columns)),
        *(_line(row, (found.get((row, column), "") for column in columns)) for row in rows),
    ]


def _row(plan: Plan) -> str:
    version = plan.recipe.version
    return version if plan.variant == PLAIN else f"{version} {plan.variant}"


def _line(head: str, cells: Iterable[str]) -> str:
    return "".join([f"{head:<14}", *(f"{cell:>{_WIDTH}}" for cell in cells)]).rstrip()


def totals(results: Sequence[Result]) -> str:
    """How many packages there were, and what became of them."""
    words = [verdict(result) for result in results]
    counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    return f"{len(words)} packages: {', '.join(counts)}"
