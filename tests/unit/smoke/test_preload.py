"""`preload`: a program on the library, without it, and on a machine of another kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.smoke import preload
from pipeline.smoke.preload import Subject
from pipeline.toolchain.emulator import Runner

SUBJECT = Subject(Path("/opt/libmimalloc.so.3"), 30403)
QEMU = ("/usr/bin/qemu-aarch64", "-L", "/root", "-cpu", "cortex-a53")
EMULATED = replace(SUBJECT, runner=Runner(QEMU))


def test_a_program_gets_the_path_that_users_preload(tmp_path: Path) -> None:
    """And loader and library are asked to tell what they do; the caller's variables come last."""
    start = preload.start(["sh", Path("/x.sh")], SUBJECT, tmp_path, {"A": "b"})

    assert ("sh", "/x.sh") == start.argv
    assert {
        "LD_PRELOAD": "/opt/libmimalloc.so.3",
        "LD_DEBUG": "bindings:libs",
        "LD_DEBUG_OUTPUT": f"{tmp_path}/of",
        "MIMALLOC_VERBOSE": "1",
        "A": "b",
    } == start.env


def test_a_program_without_the_library_gets_no_variables_of_ours(tmp_path: Path) -> None:
    """Only those of the caller."""
    bare = preload.start(["sh", Path("/x.sh")], SUBJECT.bare(), tmp_path)
    more = preload.start(["sh"], SUBJECT.bare(), tmp_path, {"A": "b"})

    assert (("sh", "/x.sh"), {}) == (bare.argv, bare.env)
    assert {"A": "b"} == more.env


def test_a_program_of_another_machine_is_emulated(tmp_path: Path) -> None:
    """Its variables go through the emulator's own command line, and never to the emulator."""
    start = preload.start(["/probe"], EMULATED, tmp_path, {"A": "b"})

    settings = start.argv[len(QEMU) : -1]
    assert (QEMU, "/probe") == (start.argv[: len(QEMU)], start.argv[-1])
    assert {"-E"} == set(settings[::2])
    assert "LD_PRELOAD=/opt/libmimalloc.so.3" in settings
    assert "A=b" in settings
    assert {} == start.env


def test_an_emulator_is_given_no_variable_with_a_comma(tmp_path: Path) -> None:
    """It takes a comma for the end of the variable, and would see another one behind it."""
    start = preload.start(["/probe"], EMULATED, tmp_path)

    assert [] == [word for word in start.argv if "," in word]


def test_a_bare_program_of_another_machine_is_emulated_too(tmp_path: Path) -> None:
    """Without the library, and with nothing set."""
    start = preload.start(["/probe"], EMULATED.bare(), tmp_path)

    assert ((*QEMU, "/probe"), {}) == (start.argv, start.env)
    assert EMULATED.bare().runner is EMULATED.runner
    assert EMULATED.preloaded


def test_what_the_loader_told_is_kept_apart_by_process(tmp_path: Path) -> None:
    """Other files in the folder are not the loader's."""
    (tmp_path / "of.12").write_text("twelve")
    (tmp_path / "of.7").write_text("seven")
    (tmp_path / "log").write_text("not the loader's")

    assert {12: "twelve", 7: "seven"} == preload.loader_output(tmp_path)


def test_an_attempt_tells_how_it_ended(tmp_path: Path) -> None:
    """Code, output, error output; the latter stays in the folder."""
    ran = preload.attempt(
        ["sh", "-c", "echo out; echo err >&2; exit 3"], SUBJECT.bare(), tmp_path / "new"
    )

    assert (3, "out\n", "err\n", {}) == (ran.code, ran.output, ran.complaint, ran.traces)
    assert "err\n" == (tmp_path / "new" / "log").read_text()


def test_an_attempt_is_started_as_its_machine_needs(tmp_path: Path) -> None:
    """The emulator's words come before the program's."""
    runner = Runner(("sh", "-c", 'echo "$@"', "emulator"))

    ran = preload.attempt(["/probe"], replace(SUBJECT, runner=runner).bare(), tmp_path)

    assert "/probe\n" == ran.output
