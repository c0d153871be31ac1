"""How a program is started on the library, and what shows that it runs on it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.smoke import preload
from pipeline.smoke.preload import Assertion, CompletedProgram, LibraryUnderTest

LIBRARY = "/opt/a folder/libmimalloc.so.3"
LIBC = "/lib64/libc.so.6"


def trace(*bindings: tuple[str, str, str]) -> str:
    """What the loader writes for calling files, called files and the names of functions."""
    lines = [
        f" 41:\tbinding file {caller} [0] to {target} [0]: normal symbol `{name}' [GLIBC_2.2.5]"
        for caller, target, name in bindings
    ]
    return "\n".join([*lines, " 41:\ttransferring control: /usr/sbin/nginx", ""])


OURS = LibraryUnderTest(Path("/opt/libmimalloc.so.3"), 30403)
GOOD = CompletedProgram(
    0,
    "",
    "mimalloc: process init: 0x1\n",
    [trace(*(("nginx", LIBRARY, name) for name in preload.ENTRY_POINTS))],
)


def test_an_assertion_holds_where_expected_and_got_are_the_same() -> None:
    """Its line has both only where they differ."""
    good, bad = Assertion("blocks", "3 of 3", "3 of 3"), Assertion("blocks", "3 of 3", "0 of 3")

    assert (True, "blocks: 3 of 3") == (good.holds, good.line())
    assert (False, "blocks: expected 3 of 3, got 0 of 3") == (bad.holds, bad.line())


def test_a_trial_passes_where_every_assertion_holds() -> None:
    """Its output has all assertions then, else only those that do not hold."""
    good, bad = Assertion("a", "1", "1"), Assertion("b", "1", "2")
    passed = preload.verdict("python3", [good, good])
    failed = preload.verdict("python3", [good, bad])

    assert (True, "a: 1\na: 1") == (passed.passed, passed.output)
    assert (False, "b: expected 1, got 2") == (failed.passed, failed.output)


@pytest.mark.parametrize(
    ("program", "what"),
    [
        (GOOD, None),
        (replace(GOOD, exit_code=-11), "exit code"),
        (replace(GOOD, exit_code=None), "exit code"),
        (replace(GOOD, errors=""), "messages 'process init' of mimalloc"),
        (replace(GOOD, errors=f"{GOOD.errors}x cannot be preloaded"), "errors of the loader"),
        (replace(GOOD, traces=[]), "processes in the loader's output"),
        (replace(GOOD, traces=[trace(("nginx", LIBC, "malloc"))]), "nginx is bound to the library"),
    ],
)
def test_each_assertion_on_a_program_is_needed(program: CompletedProgram, what: str | None) -> None:
    """Wrong evidence breaks its own assertion and no other."""
    checked = preload.on_library(program, LibraryUnderTest(Path(LIBRARY), 30403))

    failed = [assertion.what for assertion in checked if not assertion.holds]
    assert ([what] if what else []) == failed


def test_entry_points_are_bound_to_the_library() -> None:
    """All the names, whichever file calls them; other symbols do not count."""
    text = trace(
        *(("nginx", LIBRARY, name) for name in preload.ENTRY_POINTS),
        (LIBC, LIBRARY, "malloc"),
        ("nginx", LIBC, "getenv"),
    )

    bound = preload.bound(text, Path(LIBRARY))
    assert bound.holds
    assert bound.line().startswith("nginx is bound to the library: calloc free malloc")


def test_lines_of_two_processes_may_run_together() -> None:
    """Forked processes write into one file, and the loader writes a line in two parts."""
    line = trace(("nginx", LIBRARY, "malloc")).splitlines()[0]
    first, end = line.partition(" [GLIBC")[::2]

    bindings = preload.bindings(f"{first}{line} [GLIBC{end}\n")

    assert {("malloc", "nginx", LIBRARY)} == bindings


@pytest.mark.parametrize(
    ("bindings", "got"),
    [
        ([], "none"),
        ([("sh", LIBRARY, "free")], "free"),
        ([("sh", LIBRARY, "free"), ("sh", LIBC, "malloc")], f"malloc in {LIBC}"),
        ([("sh", LIBRARY, "malloc"), ("sh", "sh", "free")], "free in sh"),
        ([("sh", LIBRARY, "malloc"), (LIBC, LIBC, "calloc")], f"calloc in {LIBC}"),
    ],
)
def test_an_entry_point_elsewhere_breaks_the_assertion(
    bindings: list[tuple[str, str, str]], got: str
) -> None:
    """Nowhere, in the C library, in the program itself; needed names and others alike."""
    bound = preload.bound(trace(*bindings), Path(LIBRARY), ("free", "malloc"))

    assert f"nginx is bound to the library: expected free malloc, got {got}" == bound.line()


def test_a_library_may_call_through_the_program() -> None:
    """Libraries call a program's own stub of `malloc`, where the program is at a fixed address."""
    text = trace(
        ("python3", LIBRARY, "malloc"),
        ("python3", "python3", "malloc"),
        (LIBC, "python3", "malloc"),
    )

    assert preload.bound(text, Path(LIBRARY), ["malloc"]).holds


def test_every_process_must_have_the_file_mapped(tmp_path: Path) -> None:
    """The file itself is mapped, not its link; a file of another folder is another library."""
    real, link = tmp_path / "libmimalloc.so.3.4", tmp_path / "libmimalloc.so.3"
    real.touch()
    link.symlink_to(real.name)
    good, other = frozenset({str(real), LIBC}), frozenset({"/usr/lib/libmimalloc.so.2.0"})

    def line(processes: dict[str, frozenset[str]]) -> str:
        return preload.mapped(processes, link).line()

    assert f"mapped by master, worker 1: {real}" == line({"master": good, "worker 1": good})
    assert line({"master": good, "worker 1": other}).endswith(
        "got worker 1 /usr/lib/libmimalloc.so.2.0"
    )
    assert line({"master": frozenset({LIBC})}).endswith("got master no libmimalloc")


def test_messages_are_counted_wherever_they_are() -> None:
    """Processes that share an output write into each other's lines."""
    errors = (
        "mimalloc: mimalloc: process init: 0x7F\nprocess init: 0x7E\nmimalloc: process done: 0x7F\n"
    )

    assert preload.logged(errors, "process init", 2).holds
    assert preload.logged(errors, "process done", 1).holds
    assert not preload.logged("", "process init", 1).holds


@pytest.mark.parametrize(
    ("level", "errors", "got"),
    [
        (0, "mimalloc: secure level: 0\n", "0"),
        (4, "v2.0.6, secure level: 4\nmimalloc: secure level: 4\n", "4"),
        (4, "mimalloc: secure level: 0\n", "expected 4, got 0"),
        (0, "mimalloc: secure level: 4\n", "expected 0, got 4"),
        (4, "secure level: 4\nsecure level: 0\n", "expected 4, got 0, 4"),
        (0, "mimalloc: process init: 0x7F\n", "expected 0, got nothing"),
    ],
)
def test_mimalloc_prints_its_secure_level(level: int, errors: str, got: str) -> None:
    """In every process that starts; a plain library must print it, too."""
    line = preload.secure_level(errors, level).line()

    assert f"secure level that mimalloc prints: {got}" == line


def test_the_loaders_error_is_shown_once() -> None:
    """Each process of a pipeline prints the same."""
    line = "ERROR: ld.so: object '/x' from LD_PRELOAD cannot be preloaded: ignored."

    assert not preload.not_rejected(f"{line}\n{line}\n").holds
    assert line == preload.not_rejected(f"{line}\n{line}\n").got
    assert preload.not_rejected("mimalloc: process init: 0x7F").holds


# --- how a program is started -------------------------------------------------------------------


def test_a_program_gets_the_path_that_users_preload(tmp_path: Path) -> None:
    """Loader and library print what they do, and Python allocates each object by malloc.

    No variable has a comma: an emulator takes it for the end of the variable.
    """
    variables = OURS.variables(tmp_path)

    assert {
        "LD_PRELOAD": "/opt/libmimalloc.so.3",
        "LD_DEBUG": "bindings:libs",
        "LD_DEBUG_OUTPUT": f"{tmp_path}/of",
        "MIMALLOC_VERBOSE": "1",
        "PYTHONMALLOC": "malloc",
    } == variables
    assert not any("," in value for value in variables.values())


def test_each_process_has_a_text_of_the_loader(tmp_path: Path) -> None:
    """Other files in the folder are not the loader's."""
    (tmp_path / "of.12").write_text("twelve")
    (tmp_path / "of.7").write_text("seven")
    (tmp_path / "log").write_text("not the loader's")

    assert ["twelve", "seven"] == preload.loader_output(tmp_path)


def test_a_program_is_run_to_its_end(tmp_path: Path) -> None:
    """Code, output, error output; the latter stays in the folder."""
    runner = ("sh", "-c", 'echo "$*"; echo err >&2; exit 3', "emulator")

    program = replace(OURS, runner=runner).run(["/probe"], tmp_path / "new")

    assert (3, "err\n", []) == (program.exit_code, program.errors, program.traces)
    assert program.output.startswith("-E LD_PRELOAD=/opt/libmimalloc.so.3 -E ")
    assert program.output.endswith(" /probe\n")
    assert "err\n" == (tmp_path / "new" / "log").read_text()
