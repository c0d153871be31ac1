"""`run`: reasons against a preload, and what the loader reports afterwards."""

import os
import stat
import sys
from pathlib import Path

import pytest

from pipeline.model import Selection
from pipeline.model.errors import HostError, RequestError
from pipeline.service import run

LIBRARY = Path("/opt/libmimalloc.so.3")
ON = f" 9:\tcalling init: {LIBRARY}\n 9:\t\n 9:\ttransferring control: /bin/cat\n"
OFF = " 9:\tcalling init: /lib/libc.so.6\n 9:\t\n 9:\ttransferring control: true\n"


@pytest.mark.parametrize(
    ("traces", "on_library", "others"),
    [
        ([ON], ["cat"], []),
        ([ON, OFF], ["cat"], ["true"]),
        ([ON + OFF], ["cat"], ["true"]),
        ([OFF + ON], ["cat"], ["true"]),
        ([OFF], [], ["true"]),
        ([f" 9:\tcalling init: {LIBRARY}\n", OFF], [], ["true"]),
        ([], [], []),
    ],
)
def test_the_loader_reports_each_program(
    traces: list[str], on_library: list[str], others: list[str]
) -> None:
    """One process may run several programs, and each has a loader of its own."""
    assert (on_library, others) == run.split(traces, LIBRARY)


def test_most_programs_have_no_warning() -> None:
    """Neither has a script, whose interpreter is checked instead."""
    assert [] == list(run.warnings(Path("/bin/cat")))


@pytest.mark.parametrize(
    "line", ["#!/bin/cat", "#! /usr/bin/env cat -n", "#!/usr/bin/env -S X=1 cat"]
)
def test_a_script_is_what_runs_it(tmp_path: Path, line: str) -> None:
    """By its first line, also through env."""
    script = tmp_path / "script"
    script.write_text(f"{line}\n")

    interpreter = run._interpreter(script)
    assert interpreter
    assert "cat" == interpreter.name
    assert [] == list(run.warnings(script))


def test_a_file_that_is_no_program_has_a_warning(tmp_path: Path) -> None:
    """It is started all the same: the kernel may know more."""
    text = tmp_path / "text"
    text.write_text("hello")

    expected = f"{text} cannot be read as an ELF file, so it was not checked"
    assert [expected] == list(run.warnings(text))


@pytest.mark.parametrize(("mode", "word"), [(stat.S_ISUID, "set-uid"), (stat.S_ISGID, "set-gid")])
def test_rights_that_the_user_lacks_have_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, word: str
) -> None:
    """The owner of a set-uid program gains nothing, and the loader preloads."""
    copy = tmp_path / "cat"
    copy.write_bytes(Path("/bin/cat").read_bytes())
    copy.chmod(0o755 | mode)
    assert [] == list(run.warnings(copy))

    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getegid", lambda: 12345)

    assert [f"{copy} is {word}: the loader ignores LD_PRELOAD (AT_SECURE)"] == list(
        run.warnings(copy)
    )


def test_one_program_and_one_library_are_needed(project: Path) -> None:
    """Neither more nor fewer."""
    one, two = Selection(version="3.4.3"), Selection(version="3.4.3,2.0.6")
    with pytest.raises(RequestError, match="no program"):
        run.run(project, one, [])
    with pytest.raises(RequestError, match="one library"):
        run.run(project, two, [sys.executable])
    with pytest.raises(HostError, match="no program no-such-program"):
        run.run(project, one, ["no-such-program"])


def test_the_package_must_be_built(checkout: Path) -> None:
    """The message has the place where it would be."""
    with pytest.raises(RequestError, match="no such package yet"):
        run.run(checkout, Selection(), ["true"])
