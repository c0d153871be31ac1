"""What the user sees while it runs: live on a terminal, plain lines on a pipe."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Report:
    """Prints one line for each step, and shows how far a download is."""

    def line(self, text: str) -> None:
        """A line of news."""
        print(text, flush=True)

    def aside(self, text: str) -> None:
        """A line beside what a program prints, which the user may want to pipe on."""
        print(text, file=sys.stderr, flush=True)

    def begin(self, name: str) -> None:
        """A step that begins; its line comes when it is done."""

    def wait(self, name: str, reason: str) -> None:
        """A step or a package that somebody else is at."""
        self.line(f"  {name:<10} {reason}; waiting")

    def step(self, name: str, seconds: float | None, note: str = "") -> None:
        """A step that has been done in ``seconds``, or (None) had been done before."""
        took = "up to date" if seconds is None else f"{seconds:6.1f} s"
        self.line(f"  {name:<10} {took:>10}  {note}".rstrip())

    @contextmanager
    def download(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Yields a function to be told of each arrived chunk, in bytes."""
        if not sys.stdout.isatty():
            yield lambda _: None
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        columns = ("  {task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, transient=True) as progress:
            task = progress.add_task(name, total=total)
            yield lambda size: progress.update(task, advance=size)


def without_password(text: object) -> str:
    """A URL, or a message with one in it, without the user name and the password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", str(text))
