"""How a program is started on the library, on this machine and on another one."""

from dataclasses import replace
from pathlib import Path

from pipeline.smoke import preload
from pipeline.smoke.preload import LibraryUnderTest
from pipeline.toolchain.emulator import Runner

LIBRARY = LibraryUnderTest(Path("/opt/libmimalloc.so.3"), 30403)
QEMU = ("/usr/bin/qemu-aarch64", "-L", "/root", "-cpu", "cortex-a53")
EMULATED = replace(LIBRARY, runner=Runner(QEMU))


def test_a_program_gets_the_path_that_users_preload(tmp_path: Path) -> None:
    """Loader and library print what they do, and Python allocates each object by malloc."""
    start = LIBRARY.start(["sh", Path("/x.sh")], tmp_path)

    assert ("sh", "/x.sh") == start.argv
    assert {
        "LD_PRELOAD": "/opt/libmimalloc.so.3",
        "LD_DEBUG": "bindings:libs",
        "LD_DEBUG_OUTPUT": f"{tmp_path}/of",
        "MIMALLOC_VERBOSE": "1",
        "PYTHONMALLOC": "malloc",
    } == start.env


def test_a_program_of_another_machine_is_emulated(tmp_path: Path) -> None:
    """Its variables are on the emulator's command line, and not in the emulator's environment.

    None has a comma: the emulator takes it for the end of the variable.
    """
    start = EMULATED.start(["/probe"], tmp_path)

    settings = start.argv[len(QEMU) : -1]
    assert (QEMU, "/probe") == (start.argv[: len(QEMU)], start.argv[-1])
    assert {"-E"} == set(settings[::2])
    assert "LD_PRELOAD=/opt/libmimalloc.so.3" in settings
    assert [] == [word for word in settings if "," in word]
    assert {} == start.env


def test_each_process_has_a_text_of_the_loader(tmp_path: Path) -> None:
    """Other files in the folder are not the loader's."""
    (tmp_path / "of.12").write_text("twelve")
    (tmp_path / "of.7").write_text("seven")
    (tmp_path / "log").write_text("not the loader's")

    assert ["twelve", "seven"] == preload.loader_output(tmp_path)


def test_a_program_is_run_to_its_end(tmp_path: Path) -> None:
    """Code, output, error output; the latter stays in the folder."""
    runner = Runner(("sh", "-c", 'echo "$*"; echo err >&2; exit 3', "emulator"))

    program = replace(LIBRARY, runner=runner).run(["/probe"], tmp_path / "new")

    assert (3, "err\n", []) == (program.exit_code, program.errors, program.traces)
    assert program.output.endswith(" /probe\n")
    assert "err\n" == (tmp_path / "new" / "log").read_text()
