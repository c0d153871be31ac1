"""Work on a copy, and only what is right there is put in place: what all bumps have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.bump import state, transaction
from pipeline.model.errors import (
    BumpError,
    CheckError,
    CompileError,
    ConfigureError,
    PackageError,
    RecipeError,
    SmokeError,
    StageError,
)
from pipeline.system.disk import guarded
from pipeline.system.locks import in_use, locked
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

# What another recipe may put right; a missing program or source is another matter.
_OF_RECIPES = (
    RecipeError,
    ConfigureError,
    CompileError,
    StageError,
    PackageError,
    CheckError,
    SmokeError,
)


@contextmanager
def alone(place: Workspace, report: Report) -> Iterator[None]:
    """Nobody else bumps or cleans here meanwhile, and nothing is left of one who was killed."""

    def waiting() -> None:
        report.wait("bump", "another one is at work")

    with (
        guarded(),
        in_use(place),
        locked(place.locks, "bump", waiting=waiting),
    ):
        if transaction.undo(place.root):
            report.line("a bump was ended while it put its files in place; all is as before it")
        yield


def settle(root: Path, bench: Path, version: str, fingerprint: str, report: Report) -> None:
    """Put in place what the bench has, if all of it is there, and the checkout is as it was.

    ``seal`` is that of the checkout when it was copied. Raises BumpError, and then nothing of the
    checkout is changed.
    """
    heading(report, "in place")
    pieces = state.pieces(bench, version)
    left = [piece for piece in pieces if not piece.there]
    if left:
        raise BumpError(
            f"mimalloc {version} is still not all there",
            detail="\n".join(f"{piece.name}: {piece.fault}" for piece in left),
        )
    if state.fingerprint(root) != fingerprint:
        raise BumpError(
            "the checkout has changed while this was at work",
            file=root,
            hint="the same command again: what was built in the meantime is not built again",
        )
    files = state.differences(root, bench)
    transaction.put(root, files)
    for name, text in files.items():
        report.line(f"  {'removed ' if text is None else 'written '} {name}")


def show(root: Path, version: str, report: Report) -> list[state.Piece]:
    """Tell where a version stands in a checkout, piece by piece."""
    pieces = state.pieces(root, version)
    report.line(f"mimalloc {version}")
    for piece in pieces:
        report.line(f"  {piece.name:<22} {piece.fault or 'in place'}")
    return pieces


def heading(report: Report, name: str) -> None:
    """What is done next."""
    report.begin(name)
    report.line(name)


@contextmanager
def hinting(hint: str) -> Iterator[None]:
    """Where something fails that speaks of a recipe, say which one can be corrected, and how."""
    try:
        yield
    except _OF_RECIPES as problem:
        problem.hint = hint
        raise


def today() -> str:
    """The day of a changelog entry."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
