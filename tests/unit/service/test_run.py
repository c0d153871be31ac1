"""`run` and `program`: what speaks against a preload, and what the loader has told afterwards."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.model.errors import HostError, RequestError
from pipeline.service import program, run
from pipeline.system.report import Report

LIBRARY = Path("/opt/libmimalloc.so.3")
ON = f" 9:\tcalling init: {LIBRARY}\n 9:\t\n 9:\ttransferring control: /bin/cat\n"
OFF = " 9:\tcalling init: /lib/libc.so.6\n 9:\t\n 9:\ttransferring control: true\n"


def test_the_loader_tells_of_each_program() -> None:
    """One process may become another program, that has another loader."""
    assert (["cat"], []) == run.split(ON, LIBRARY)
    assert (["cat"], ["true"]) == run.split(ON + OFF, LIBRARY)
    assert ([], ["true"]) == run.split(OFF, LIBRARY)
    assert ([], []) == run.split("", LIBRARY)


def test_most_programs_are_not_warned_of() -> None:
    """Neither is a script, whose interpreter is looked at."""
    assert [] == list(program.warnings(Path("/bin/cat")))


@pytest.mark.parametrize(
    "line", ["#!/bin/cat", "#! /usr/bin/env cat -n", "#!/usr/bin/env -S X=1 cat"]
)
def test_a_script_is_what_runs_it(tmp_path: Path, line: str) -> None:
    """By its first line, also through env."""
    script = tmp_path / "script"
    script.write_text(f"{line}\n")

    found = program._interpreter(script)
    assert found
    assert "cat" == found.name
    assert [] == list(program.warnings(script))


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    """It is started all the same: the kernel may know more."""
    text = tmp_path / "text"
    text.write_text("hello")

    assert [f"{text} is no ELF file: what runs it is not known"] == list(program.warnings(text))


def test_rights_that_the_user_lacks_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set-uid program of one's own gains nothing, and the loader lets it be."""
    copy = tmp_path / "cat"
    copy.write_bytes(Path("/bin/cat").read_bytes())
    copy.chmod(0o4755)
    assert [] == list(program.warnings(copy))

    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    assert [f"{copy} is set-uid: the loader ignores LD_PRELOAD (AT_SECURE)"] == list(
        program.warnings(copy)
    )


def test_a_program_is_asked_for(project: Path) -> None:
    """One program, one library."""
    one, two = (
        selection.plans(project, Selection(version=version)) for version in ("3.4.3", "3.4.3,2.0.6")
    )
    with pytest.raises(RequestError, match="no program"):
        run.run(project, one, [], Report())
    with pytest.raises(RequestError, match="one library"):
        run.run(project, two, [sys.executable], Report())
    with pytest.raises(HostError, match="no program no-such-program"):
        run.run(project, one, ["no-such-program"], Report())


def test_a_library_that_is_not_built_is_asked_for(checkout: Path) -> None:
    """With the place where it would be."""
    with pytest.raises(RequestError, match="no such package yet"):
        run.run(checkout, selection.plans(checkout, Selection()), ["true"], Report())
