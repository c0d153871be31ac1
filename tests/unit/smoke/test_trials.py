"""`trials`: a program has passed if it ends well, and says what it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.smoke import trials
from pipeline.toolchain.emulator import Runner

LEVEL = "secure level: 4"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Says on its error output what its environment tells it, and ends as that tells it."""
    file = tmp_path / "program"
    file.write_text('#!/bin/sh\necho "$SAID" >&2\necho counts\nexit "${CODE:-0}"\n')
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    "said", ["mimalloc: secure level: 4", "mimalloc: mimalloc: secure level: 4"]
)
def test_a_program_that_says_it_has_passed(program: Path, tmp_path: Path, said: str) -> None:
    """A line of its own ends with it, and its last words stay last."""
    trial = trials.attempt("aligned", program, tmp_path, {"SAID": said}, says=LEVEL)

    assert trial.passed
    assert ("aligned", f"{said}\ncounts") == (trial.name, trial.output)


@pytest.mark.parametrize(
    "said", ["mimalloc: secure level: 0", "", "mimalloc: secure level: 40", "secure level: 4 or so"]
)
def test_a_program_that_does_not_say_it_has_failed(
    program: Path, tmp_path: Path, said: str
) -> None:
    """Though it exits with 0: a library of another flavor does all that it should."""
    trial = trials.attempt("aligned", program, tmp_path, {"SAID": said}, says=LEVEL)

    assert not trial.passed
    assert trial.output.endswith("counts\nit does not say `secure level: 4`")
    assert "exit code" not in trial.output


def test_a_plain_library_is_held_to_its_level_too(program: Path, tmp_path: Path) -> None:
    """One that is secure by mistake takes time and memory that nobody asked it to."""
    said = {"SAID": "mimalloc: secure level: 4"}

    assert not trials.attempt("x", program, tmp_path, said, says="secure level: 0").passed
    assert trials.attempt("x", program, tmp_path, said).passed


def test_a_program_that_exits_wrongly_has_failed(program: Path, tmp_path: Path) -> None:
    """Whatever it has said; both faults are told."""
    said = {"SAID": "mimalloc: secure level: 4", "CODE": "3"}
    ended = trials.attempt("x", program, tmp_path, said, says=LEVEL)
    both = trials.attempt("x", program, tmp_path, {**said, "SAID": ""}, says=LEVEL)

    assert (False, False) == (ended.passed, both.passed)
    assert ended.output.endswith("counts\nexit code 3")
    assert both.output.endswith("exit code 3\nit does not say `secure level: 4`")


def test_what_was_said_early_counts(tmp_path: Path) -> None:
    """The level is among the first lines of a talk that is much longer than what is shown."""
    file = tmp_path / "program"
    file.write_text('#!/bin/sh\necho "secure level: 4"\nseq 1000\n')
    file.chmod(0o755)

    trial = trials.attempt("x", file, tmp_path, says=LEVEL)

    assert trial.passed
    assert LEVEL not in trial.output
    assert trial.output.endswith("1000")


def test_a_program_of_another_machine_is_emulated(program: Path, tmp_path: Path) -> None:
    """In its folder, with its variables on the command line."""
    runner = Runner(("sh", "-c", 'pwd; echo "$@"', "emulator"))
    trial = trials.attempt("x", program, tmp_path, {"A": "b"}, runner)

    assert (True, f"{tmp_path}\n-E A=b {program}") == (trial.passed, trial.output)
