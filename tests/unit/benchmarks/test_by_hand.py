"""`by_hand`: the input of the script, out of the pipeline's logs."""

from pathlib import Path

from benchmarks import by_hand


def test_commands_are_read_from_a_log(tmp_path: Path) -> None:
    """They are quoted as one could paste them, and read back as they were."""
    log = tmp_path / "log"
    log.write_text("$ cmake '-DFLAGS=-a -b' /tree\n-- Done\n$ ninja\n")

    assert [["cmake", "-DFLAGS=-a -b", "/tree"], ["ninja"]] == by_hand.commands(log)


def test_the_script_has_folders_of_its_own() -> None:
    """Two builds in one folder would help or disturb each other."""
    folders = {
        Path("/work/stage/1/root"): Path("/own/stage"),
        Path("/work/package/2"): Path("/own"),
    }

    assert "/own/stage/a /own/macros" == by_hand.replaced(
        "/work/stage/1/root/a /work/package/2/macros", folders
    )
