"""The output of a running command: progress bars on a terminal, plain lines on a pipe."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from pipeline.model.errors import WorkspaceError
from pipeline.model.printable import printable


class Report:
    """Prints a line for each step, and the progress of a download."""

    bars = True  # whether a terminal gets a progress bar

    def line(self, text: str) -> None:
        """Print a line, on a terminal wrapped. Raises WorkspaceError where it cannot be written."""
        _write(wrapped(text, columns()), sys.stdout)

    def aside(self, text: str) -> None:
        """Print a line on the error output, beside what a program of the user prints."""
        _write(text, sys.stderr)

    def begin(self, name: str) -> None:
        """A step begins; its line is printed when it is done."""

    def wait(self, name: str, reason: str = "another run is building it") -> None:
        """A step or a package waits for another run."""
        self.line(f"  {name:<10} {reason}; waiting")

    def step(self, name: str, seconds: float | None, note: str = "") -> None:
        """A step is done after ``seconds``; None if its result was there before."""
        took = "up to date" if seconds is None else f"{seconds:6.1f} s"
        self.line(f"  {name:<10} {took:>10}  {note}".rstrip())

    @contextmanager
    def download(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Yield a function that is called with the size of each chunk, in bytes."""
        if not (self.bars and sys.stdout.isatty()):
            yield lambda _: None
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        columns = ("  {task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, transient=True) as progress:
            task = progress.add_task(name, total=total)
            yield lambda size: progress.update(task, advance=size)


class QuietReport(Report):
    """Prints nothing, for callers that print lines of their own."""

    def line(self, text: str) -> None:
        """Print nothing."""


def columns() -> int:
    """The width of the terminal that the output goes to; 0 where it goes somewhere else."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def wrapped(text: str, width: int) -> str:
    """A text whose lines are no wider, but for words that are: paths and checksums.

    A command stays whole, to be pasted, and so does a line of a difference. The width 0 is none.
    """
    lines = []
    for line in text.splitlines():
        if not width or len(line) <= width or re.match(r"invoke \S| {4}[-+] ", line):
            lines.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        settings = {"initial_indent": indent, "subsequent_indent": f"{indent}    "}
        whole = {"break_long_words": False, "break_on_hyphens": False}
        # First where the last column of a table begins.
        row = re.match(r"(.*\S) {3,}(\S.*)", line.lstrip())
        if row and len(indent + row[1]) <= width:
            lines.append(indent + row[1])
            line, indent = row[2], f"{indent}    "
            settings = dict.fromkeys(settings, indent)
        lines += textwrap.wrap(line.lstrip(), width, **settings, **whole)  # type: ignore[arg-type]
    return "\n".join(lines)


def _write(text: str, output: TextIO) -> None:
    try:
        print(printable(text), file=output, flush=True)
    except BrokenPipeError:  # its reader has ended, which is no error
        raise
    except OSError as problem:
        # What is left in the buffer would fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        raise WorkspaceError(
            "the output cannot be written", got=str(problem), hint="free some space for it"
        ) from problem


def without_password(text: object) -> str:
    """A URL, or a message with one in it, without the user name and the password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", str(text))
