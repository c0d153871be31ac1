"""How a program is started on the library, on this machine and on another one."""

from dataclasses import replace
from pathlib import Path

from pipeline.smoke import preload
from pipeline.smoke.preload import LibraryUnderTest

LIBRARY = LibraryUnderTest(Path("/opt/libmimalloc.so.3"), 30403)


def test_a_program_gets_the_path_that_users_preload(tmp_path: Path) -> None:
    """Loader and library print what they do, and Python allocates each object by malloc.

    No variable has a comma: an emulator takes it for the end of the variable.
    """
    variables = LIBRARY.variables(tmp_path)

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

    program = replace(LIBRARY, runner=runner).run(["/probe"], tmp_path / "new")

    assert (3, "err\n", []) == (program.exit_code, program.errors, program.traces)
    assert program.output.startswith("-E LD_PRELOAD=/opt/libmimalloc.so.3 -E ")
    assert program.output.endswith(" /probe\n")
    assert "err\n" == (tmp_path / "new" / "log").read_text()
