"""`kit`: what the script is told, out of the pipeline's logs."""

from __future__ import annotations

from pathlib import Path

from benchmarks import kit


def test_commands_are_read_from_a_log(tmp_path: Path) -> None:
    """Quoted as one could paste them, and read back as they were."""
    log = tmp_path / "log"
    log.write_text("$ cmake '-DFLAGS=-a -b' /tree\n-- Done\n$ ninja\n")

    assert [["cmake", "-DFLAGS=-a -b", "/tree"], ["ninja"]] == kit.commands(log)


def test_rooms_become_the_scripts_own_folders() -> None:
    """Two builds in one folder would help or disturb each other."""
    folders = {
        Path("/work/stage/1/root"): Path("/own/stage"),
        Path("/work/package/2"): Path("/own"),
    }

    assert "/own/stage/a /own/macros" == kit.moved(
        "/work/stage/1/root/a /work/package/2/macros", folders
    )


def test_ninja_is_left_its_own_order() -> None:
    """What the pipeline asks for beyond that is a gain that it may show."""
    told = ["/bin/ninja", "-C", "/build", "-j2", "all", "first"]

    assert ["/bin/ninja", "-C", "/build", "-j2"] == kit.without_targets(told)
