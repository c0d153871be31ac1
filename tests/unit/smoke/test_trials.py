"""A trial passes if the program exits with 0, and prints what it must."""

from pathlib import Path

import pytest

from pipeline.smoke import probe
from pipeline.toolchain import emulator

LEVEL = "secure level: 4"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Prints the text of its environment on its error output, and exits with the code there."""
    file = tmp_path / "program"
    file.write_text('#!/bin/sh\necho "$TEXT" >&2\necho counts\nexit "${CODE:-0}"\n')
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("text", "code", "faults"),
    [
        ("mimalloc: secure level: 4", "0", []),
        ("mimalloc: mimalloc: secure level: 4", "0", []),
        ("mimalloc: secure level: 0", "0", ["it does not print `secure level: 4`"]),
        ("", "0", ["it does not print `secure level: 4`"]),
        ("mimalloc: secure level: 40", "0", ["it does not print `secure level: 4`"]),
        ("secure level: 4 or so", "0", ["it does not print `secure level: 4`"]),
        ("mimalloc: secure level: 4", "3", ["exit code 3"]),
        ("", "3", ["exit code 3", "it does not print `secure level: 4`"]),
    ],
)
def test_code_and_message_decide(
    program: Path, tmp_path: Path, text: str, code: str, faults: list[str]
) -> None:
    """A library of another flavor does all that it should, and a line must end with the message.

    The last lines of the output stay last, before what is wrong.
    """
    command = emulator.start([program], {"TEXT": text, "CODE": code})

    trial = probe.attempt("aligned", command, tmp_path, LEVEL)

    assert ("aligned", not faults) == (trial.name, trial.passed)
    assert trial.output == "\n".join([text, "counts", *faults]).strip()
    assert probe.attempt("x", command, tmp_path).passed is (code == "0")


def test_an_early_message_counts(tmp_path: Path) -> None:
    """The level is among the first lines of an output that is longer than what is shown."""
    file = tmp_path / "program"
    file.write_text('#!/bin/sh\necho "secure level: 4"\nseq 1000\n')
    file.chmod(0o755)

    trial = probe.attempt("x", emulator.start([file], {}), tmp_path, LEVEL)

    assert trial.passed
    assert LEVEL not in trial.output
    assert trial.output.endswith("1000")


def test_a_program_of_another_machine_is_emulated(program: Path, tmp_path: Path) -> None:
    """In its folder, with its variables on the command line."""
    runner = ("sh", "-c", 'pwd; echo "$@"', "emulator")

    trial = probe.attempt("x", emulator.start([program], {"A": "b"}, runner), tmp_path)

    assert (True, f"{tmp_path}\n-E A=b {program}") == (trial.passed, trial.output)
