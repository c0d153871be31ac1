"""Instructions that a program executes, as callgrind counts them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.model.errors import SmokeError
from pipeline.system import process

PROGRAM = "valgrind"
PATIENCE = 300.0

_TOTAL = re.compile(r"^(?:totals|summary): (\d+)$", re.MULTILINE)


def at_hand() -> bool:
    """Whether this host can count."""
    return shutil.which(PROGRAM) is not None


def instructions(
    argv: tuple[str, ...], library: Path | None, env: Mapping[str, str], scratch: Path
) -> tuple[int, str]:
    """The instructions of a program and of all that it starts, and what it printed.

    Raises SmokeError where it fails, and where no instruction of the library was among them.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        command = [PROGRAM, "--tool=callgrind", "--trace-children=yes", "--quiet"]
        command += [f"--callgrind-out-file={folder}/%p", *argv]
        preloaded = {"LD_PRELOAD": str(library)} if library else {}
        code, output, complaint = process.attempt(
            command, env={**env, **preloaded}, timeout=PATIENCE
        )
        told = [file.read_text(errors="replace") for file in sorted(Path(folder).iterdir())]
    what = f"{Path(argv[0]).name} cannot be counted"
    if code != 0 or not told:
        raise SmokeError(what, got=f"exit code {code}", detail=complaint)
    if library and not any(executed(text, library) for text in told):
        raise SmokeError(what, expected=f"instructions in {library}", got="none")
    return sum(total(text) for text in told), output


def total(text: str) -> int:
    """The sum that a file of callgrind's tells."""
    found = _TOTAL.search(text)
    return int(found[1]) if found else 0


def executed(text: str, library: Path) -> bool:
    """Whether a file of callgrind's tells of instructions in a library."""
    objects = re.findall(r"^c?ob=\(\d+\) (.+)$", text, re.MULTILINE)
    return str(library.resolve()) in objects
