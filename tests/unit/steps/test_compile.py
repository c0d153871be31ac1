"""`compile`: how ninja is called, and how it fails."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.model import Options, Plan
from pipeline.model.errors import CompileError
from pipeline.steps import compile
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs


def test_threads_are_as_requested(
    plan: Plan, make_dirs: Callable[..., StepDirs], program: Callable[[str], None]
) -> None:
    """Ninja builds everything in cmake's build folder."""
    program(":")
    dirs = replace(make_dirs("compile"), options=Options(threads=3))
    compile.run(plan, dirs, Report())

    assert dirs.log("compile").read_text().endswith(f" -C {dirs.build} -j3 all\n")


def test_failure_has_the_last_lines(
    plan: Plan, make_dirs: Callable[..., StepDirs], program: Callable[[str], None]
) -> None:
    """The error has the step's log and the compiler's output."""
    program("echo 'a.c:1: error: no'; exit 1")
    dirs = make_dirs("compile")
    with pytest.raises(CompileError, match=r"mimalloc 2\.0\.6 does not compile") as caught:
        compile.run(plan, dirs, Report())

    assert (dirs.log("compile"), "a.c:1: error: no") == (caught.value.file, caught.value.detail)
