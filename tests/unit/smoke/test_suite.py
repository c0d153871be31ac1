"""What must hold of programs that run to their end on the library."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.smoke import preload, suite
from pipeline.smoke.preload import Assertion, CompletedProgram, LibraryUnderTest
from pipeline.smoke.probe import PROBES

LIBRARY = LibraryUnderTest(Path("/opt/libmimalloc.so.3"), 30403)
RESULT = suite.RESULTS["python3"]


def trace(target: str = str(LIBRARY.path)) -> str:
    """What the loader writes where all entry points are bound to the target."""
    lines = [
        f"1:\tbinding file x [0] to {target} [0]: normal symbol `{name}'"
        for name in preload.ENTRY_POINTS
    ]
    return "\n".join(lines)


PROBE = CompletedProgram(
    0,
    f"result {RESULT}\nblocks 9 of 9\nmi_version 30403\nmaps /lib/c\nmaps {LIBRARY.path}\n",
    "mimalloc: process init: 0x1\nmimalloc: secure level: 0\n",
    [trace()],
)
PIPELINE = CompletedProgram(
    0, f"{suite.RESULTS['pipeline']}\n", "process init: 1\n" * 5, [trace()] * 5
)


def test_results_are_the_same_without_the_library() -> None:
    """They depend on the programs alone. A probe exits with 2 where it is not on mimalloc."""
    probe, pipeline = (
        subprocess.run(argv, capture_output=True, text=True, check=False)
        for argv in (
            [sys.executable, "-S", "-B", str(PROBES / "workload.py")],
            ["sh", str(PROBES / "pipeline.sh")],
        )
    )

    assert 2 == probe.returncode
    assert f"result {RESULT}" == probe.stdout.splitlines()[0]
    assert (0, suite.RESULTS["pipeline"]) == (pipeline.returncode, pipeline.stdout.strip())


def failed(checked: list[Assertion]) -> list[str]:
    """What does not hold."""
    return [assertion.what for assertion in checked if not assertion.holds]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (PROBE, []),
        (
            replace(PROBE, output=PROBE.output.replace("9 of", "8 of")),
            ["blocks in mimalloc's heap"],
        ),
        (
            replace(PROBE, output=PROBE.output.replace("9 of 9", "0 of 0")),
            ["blocks in mimalloc's heap"],
        ),
        (replace(PROBE, output=PROBE.output.replace("30403", "206")), ["mi_version()"]),
        (replace(PROBE, output=PROBE.output.replace("/opt", "/usr")), ["mapped by the process"]),
        (replace(PROBE, output=PROBE.output.replace(RESULT, "cd")), ["result"]),
        (replace(PROBE, exit_code=-11), ["exit code"]),
        (
            replace(PROBE, errors=PROBE.errors.replace("level: 0", "level: 4")),
            ["secure level that mimalloc prints"],
        ),
        (
            replace(PROBE, output=""),
            ["blocks in mimalloc's heap", "mi_version()", "mapped by the process", "result"],
        ),
    ],
)
def test_each_assertion_on_a_probe_is_needed(
    program: CompletedProgram, expected: list[str]
) -> None:
    """Wrong evidence breaks its own assertion and no other; without output there is none."""
    assert expected == failed(suite.program_assertions("python3", program, LIBRARY))


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (PIPELINE, []),
        (replace(PIPELINE, traces=[trace()]), ["processes in the loader's output"]),
        (replace(PIPELINE, errors="process init: 1"), ["messages 'process init' of mimalloc"]),
        (replace(PIPELINE, output="ef  -\n"), ["result"]),
        (
            replace(PIPELINE, traces=[*PIPELINE.traces[1:], trace("/lib/libc.so.6")]),
            ["the program is bound to the library"],
        ),
    ],
)
def test_each_process_of_a_pipeline_is_checked(
    program: CompletedProgram, expected: list[str]
) -> None:
    """One of five that does not run on the library is enough."""
    assert expected == failed(suite.program_assertions("pipeline", program, LIBRARY))
