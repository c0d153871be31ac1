"""Several builds as the user sees them."""

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from pipeline.build import progress, selection
from pipeline.build.progress import Outcome, Progress, Result
from pipeline.model import Built, Plan
from pipeline.model.errors import CompileError


def _built(plan: Plan, *, fresh: bool = True) -> Built:
    return Built(plan, Path("/dist/x.rpm"), "ab" * 32, 123, fresh)


def test_a_package_is_a_line(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """On a pipe there is none before it is done."""
    Progress().draw([(plan.nevra, "compile", 1.0)])
    assert "" == capsys.readouterr().out

    Progress().end(Outcome(plan, 12.34, _built(plan)))
    assert [plan.nevra, "built", "12.3", "s"] == capsys.readouterr().out.split()


def test_a_failure_is_shown_at_once(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """With its whole message below the line."""
    Progress().end(Outcome(plan, 1.0, CompileError("no luck", hint="this")))

    line, *message = capsys.readouterr().out.splitlines()
    assert [plan.nevra, "FAILED", "1.0", "s"] == line.split()
    assert CompileError("no luck", hint="this").lines() == message


def test_running_packages_are_shown_on_a_terminal(plan: Plan) -> None:
    """Each with its step; what is done scrolls up, word for word."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    other = replace(plan, arch="s390x")
    with Live(auto_refresh=False, console=console) as live:
        shown = Progress(live)
        shown.draw([(plan.nevra, "compile", 0.4), (other.nevra, "check", 61.0)])
        drawn = output.getvalue()
        shown.end(Outcome(other, 1.0, CompileError("[red]no[/red] luck")))
        shown.draw([(plan.nevra, "compile", 2.0)])

    assert [plan.nevra, "compile", "0", "s"] == _line(drawn, plan.nevra)
    assert [other.nevra, "check", "61", "s"] == _line(drawn, other.nevra)
    assert "compile: [red]no[/red] luck" in output.getvalue()


def _line(drawn: str, nevra: str) -> list[str]:
    plain = re.sub(r"\x1b\[[?\d]*\w|\r", "\n", drawn)
    return next(line.split() for line in plain.splitlines() if nevra in line)


def test_a_terminal_gets_a_live_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """And anything else plain lines."""
    with progress.live_table() as live:
        assert live is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with progress.live_table() as live:
        assert isinstance(live, Live)
        assert not live.auto_refresh


def test_summary_is_releases_by_machines(plan: Plan) -> None:
    """In the order of the cells; what was not selected stays empty."""
    other = replace(plan, arch="s390x")
    new = replace(plan, recipe=replace(plan.recipe, version="2.0.10"))
    secure = replace(plan, variant="secure")
    cells = [(plan, "1.0 s"), (other, "FAILED"), (secure, "2.0 s"), (new, "up to date")]

    assert [
        ["el7", "el7"],
        ["mimalloc", "x86_64", "s390x"],
        ["2.0.6", "1.0 s", "FAILED"],
        ["2.0.6 secure", "2.0 s"],
        ["2.0.10", "up to date"],
    ] == [[cell.strip() for cell in line.split("  ") if cell] for line in progress.matrix(cells)]


@pytest.mark.parametrize("width", range(25, 130, 7))
def test_a_matrix_is_no_wider_than_the_terminal(project: Path, width: int) -> None:
    """With all cells, whatever the width."""
    plans = selection.plans(project, selection.ALL)
    lines = progress.matrix(((plan, "outdated") for plan in plans), width)

    assert width >= max(map(len, lines))
    assert len(plans) == sum(line.count("outdated") for line in lines)


def test_the_summary_counts_the_verdicts(plan: Plan) -> None:
    """In the order in which the words first came up; a build is shown by its seconds."""
    new, old = _built(plan), _built(plan, fresh=False)
    results: list[Result] = [new, CompileError("no"), old, Path("/"), new]
    outcomes = [
        Outcome(replace(plan, arch=f"machine{number}"), 1.5, result)
        for number, result in enumerate(results)
    ]
    *_, row, empty, total = progress.summary(outcomes)

    assert "2.0.6 1.5 s FAILED up to date done 1.5 s" == " ".join(row.split())
    assert ("", "5 packages: 2 built, 1 FAILED, 1 up to date, 1 done") == (empty, total)
