"""`report`: lines for steps, and progress of downloads."""

import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.model.errors import WorkspaceError
from pipeline.system.report import Report, wrapped


@pytest.mark.parametrize(
    ("seconds", "note", "line"),
    [
        (1.25, "", "  compile         1.2 s\n"),
        (None, "", "  compile    up to date\n"),
        (100.0, "done", "  compile       100.0 s  done\n"),
    ],
)
def test_step_has_name_and_time(
    capsys: pytest.CaptureFixture[str], seconds: float | None, note: str, line: str
) -> None:
    """A step has its time, or that there was nothing to do; no line ends in blanks."""
    Report().step("compile", seconds, note)

    assert line == capsys.readouterr().out


def test_an_output_that_is_full_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Once: what is left of the line does not fail at the end."""
    with Path("/dev/full").open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(WorkspaceError, match="the output cannot be written") as caught:
            Report().line("x")

    assert "No space left on device" in caught.value.got


def test_lines_have_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """A key or a package may say anything of itself."""
    Report().line("\x1b[2J")

    assert "\\x1b[2J\n" == capsys.readouterr().out


def test_download_is_silent_on_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """No progress bar goes into a log."""
    with Report().download("file", 10) as advance:
        advance(10)

    assert "" == capsys.readouterr().out


@pytest.mark.parametrize("total", [10, None])
def test_download_has_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, total: int | None
) -> None:
    """On a terminal a bar shows the progress, whether or not the size is known."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with Report().download("file.tar.gz", total) as advance:
        advance(4)
        advance(6)

    assert "file.tar.gz" in capsys.readouterr().out


WORDS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1)
LINES = st.lists(WORDS, min_size=1).map(" ".join)


@given(LINES, st.integers(20, 100), st.sampled_from(["", "  ", "    "]))
def test_no_line_is_wider_than_the_terminal(text: str, width: int, indent: str) -> None:
    """But for a word that is; no word is lost; commands and differences are not broken."""
    assume(not text.startswith(("+ ", "- ")))
    lines = wrapped(f"{indent}{text}", width).splitlines()

    assert text.split() == " ".join(lines).split()
    assert [] == [line for line in lines if len(line) > width and len(line.split()) > 1]
    for whole in (f"invoke {text}", f"    + {text}"):
        assert whole == wrapped(whole, width)
    assert f"{indent}{text}" == wrapped(f"{indent}{text}", 0)


def test_a_pipe_gets_no_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever COLUMNS says."""
    text = "word " * 50 + "end"
    Report().line(text)

    assert f"{text}\n" == capsys.readouterr().out
