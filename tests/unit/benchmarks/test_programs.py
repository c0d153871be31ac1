"""`programs`: callgrind's files, and the output that must be the same on every allocator."""

from pathlib import Path

import pytest

from benchmarks import programs
from benchmarks.settings import Workload
from pipeline.model import Plan
from pipeline.model.errors import CompareError
from pipeline.system.workspace import Workspace

PROFILE = """
ob=(1) /usr/bin/program
fn=(1) main
cob=(2) {library}
calls=2 0
totals: 2023
"""


def test_the_sum_is_read() -> None:
    """Nothing is added up: callgrind has done that."""
    assert 2023 == programs.total(PROFILE)


def test_a_library_that_was_called_is_seen(tmp_path: Path) -> None:
    """By the name of the file itself, whatever link it was preloaded by."""
    link, file = tmp_path / "lib.so.2", tmp_path / "lib.so.2.0"
    file.touch()
    link.symlink_to(file.name)

    assert programs.executed(PROFILE.format(library=file), link)


def test_a_library_that_was_never_called_is_missed(tmp_path: Path) -> None:
    """Then the count is that of another allocator."""
    assert not programs.executed(PROFILE.format(library="/lib/libc.so.6"), tmp_path / "lib.so")


def test_instructions_of_the_library_are_added_up(tmp_path: Path) -> None:
    """Not those of what it calls, and not those of the program."""
    library = tmp_path / "lib.so"
    profile = f"""
ob=(1) /usr/bin/program
fn=(1) main
0 7
cob=(2) {library}
cfn=(2) malloc
calls=2 0
0 50
ob=(2)
fn=(2)
0 40
+3 2
cob=(1)
calls=1 0
* 9
totals: 49
"""

    assert 42 == programs.inside(profile, library)


def test_a_script_without_its_program_is_named_as_missing(
    plan: Plan, workspace: Workspace, tmp_path: Path
) -> None:
    """The shell that runs it is everywhere."""
    runs = Workload("runs", "", ("sh", "{sources}/x.sh", "{size}"), 7, 3, needs="cat")
    lacks = Workload("lacks", "", ("sh", "{sources}/x.sh", "{size}"), 7, 3, needs="no-program")

    started, missing = programs.gather([runs, lacks], plan, workspace, tmp_path)

    assert {"lacks": "no no-program on this host"} == missing
    (program,) = started
    assert (f"{programs.SOURCES}/x.sh", "7") == program.timed[1:]
    assert (f"{programs.SOURCES}/x.sh", "3") == program.counted[1:]


def test_the_same_result_is_good() -> None:
    """There is no error."""
    programs.check_output("small", "jemalloc", {"cafe\n"})


@pytest.mark.parametrize(
    ("outputs", "got"),
    [
        ({"beef\n", "cafe\n"}, "beef, cafe"),
        ({"", "cafe\n"}, "no output, cafe"),
        ({""}, "no output"),
    ],
)
def test_another_result_is_refused(outputs: set[str], got: str) -> None:
    """Then it is not the same work; and a program without output cannot be compared."""
    with pytest.raises(CompareError, match="small has another result on jemalloc") as caught:
        programs.check_output("small", "jemalloc", outputs)

    assert got == caught.value.got
