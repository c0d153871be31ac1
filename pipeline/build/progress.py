"""Several builds as the user sees them: a live table or plain lines, then a summary."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.model import PLAIN, Built, Plan
from pipeline.model.errors import PackagingError
from pipeline.system.report import Report, columns, wrapped

if TYPE_CHECKING:
    from rich.live import Live

# The result of a plan: a package, the folder of a step, or an error.
Result = Built | Path | PackagingError


class Outcome(NamedTuple):
    """The result of one plan, and how long it took."""

    plan: Plan
    seconds: float
    result: Result

    @property
    def verdict(self) -> str:
        """The result in a word or two."""
        if isinstance(self.result, PackagingError):
            return "FAILED"
        if isinstance(self.result, Built):
            return "built" if self.result.fresh else "up to date"
        return "done"

    def fields(self) -> dict[str, object]:
        """The outcome for ``--json``."""
        result, fields = self.result, of_plan(self.plan)
        fields |= {"result": self.verdict.lower(), "seconds": round(self.seconds, 1)}
        if isinstance(result, PackagingError):
            return fields | {"error": result.fields()}
        if isinstance(result, Path):
            return fields | {"path": result}
        files = [result.rpm.with_name(name) for name in self.plan.file_names]
        return fields | {"files": files, "size": result.size, "sha256": result.sha256}


def of_plan(plan: Plan) -> dict[str, object]:
    """Which package it is, for ``--json``."""
    return {
        "package": plan.nevra,
        "version": plan.recipe.version,
        "release": plan.recipe.release,
        "flavor": plan.variant,
        "dist": plan.root.dist,
        "arch": plan.arch,
    }


def failures(outcomes: Iterable[Outcome]) -> list[tuple[Plan, PackagingError]]:
    """The errors, each with its plan."""
    return [(o.plan, o.result) for o in outcomes if isinstance(o.result, PackagingError)]


class Progress:
    """Prints a line for each package that is done; on a terminal, a live table of the others."""

    def __init__(self, live: "Live | None" = None) -> None:
        self._live = live

    def line(self, text: str) -> None:
        """Print a line; on a terminal, above the table."""
        if self._live:
            text = wrapped(text, self._live.console.width)
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            Report().line(text)

    def end(self, outcome: Outcome) -> None:
        """Print the outcome of a package."""
        name, verdict, seconds = outcome.plan.nevra, outcome.verdict, outcome.seconds
        if 0 < columns() < 80:
            self.line(f"{name} {verdict}, {seconds:.1f} s")
        else:
            self.line(f"{name:<52} {verdict:<10} {seconds:7.1f} s")
        if isinstance(outcome.result, PackagingError):
            self.line(str(outcome.result))
        elif isinstance(outcome.result, Path):
            self.line(f"  {outcome.result}")

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


def matrix(cells: Iterable[tuple[Plan, str]], width: int = 0) -> list[str]:
    """A line for each release, a column for each dist and architecture, in the cells' order.

    Columns that are beyond ``width``, if it is not 0, come below the others.
    """
    texts: dict[str, dict[tuple[str, str], str]] = {}
    for plan, text in cells:
        row = f"{plan.recipe.version} {plan.variant}".removesuffix(f" {PLAIN}")
        texts.setdefault(row, {})[plan.root.dist, plan.arch] = text
    machines = list(dict.fromkeys(machine for row in texts.values() for machine in row))
    # A column is as wide as the longest architecture, and a gap.
    count = max((width - 14) // 11, 1) if width else len(machines)
    lines = list[str]()
    for first in range(0, len(machines), max(count, 1)):
        block = machines[first : first + count]
        rows = {"": [dist for dist, _ in block], "mimalloc": [arch for _, arch in block]}
        rows |= {name: [row.get(machine, "") for machine in block] for name, row in texts.items()}
        lines += [""] if first else []
        lines += [
            f"{name:<14}{''.join(f'{cell:>11}' for cell in row)}".rstrip()
            for name, row in rows.items()
        ]
    return lines


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """The seconds of each build, or the verdict, as a matrix; the last line counts verdicts."""
    cells = ((o.plan, o.verdict.replace("built", f"{o.seconds:.1f} s")) for o in outcomes)
    counts = Counter(outcome.verdict for outcome in outcomes)
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return [*matrix(cells, columns()), "", f"{len(outcomes)} packages: {total}"]
