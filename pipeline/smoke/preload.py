"""How a program is started on the library, for the smoke test."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.system import process
from pipeline.toolchain import emulator

# Seconds after which a program has failed; each takes about one.
TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class CompletedProgram:
    """A program that has ended: its exit code (below 0: a signal), output and error output.

    ``traces`` are the texts that the loader wrote, one for each process that was started.
    """

    exit_code: int | None
    output: str
    errors: str
    traces: list[str]


@dataclass(frozen=True, slots=True)
class LibraryUnderTest:
    """The library that programs run on.

    ``path`` is what users preload: the link that is named as the soname. ``mi_version`` and
    ``secure_level`` are what the library must report. ``runner`` is the emulator of its machine.
    """

    path: Path
    mi_version: int
    secure_level: int = 0
    runner: tuple[str, ...] = ()

    def variables(self, folder: Path) -> dict[str, str]:
        """What starts a program on the library; the loader writes its trace to ``folder``."""
        return {
            "LD_PRELOAD": str(self.path),
            # A colon, because an emulator takes a comma for the end of the variable.
            "LD_DEBUG": "bindings:libs",
            "LD_DEBUG_OUTPUT": str(folder / "of"),
            "MIMALLOC_VERBOSE": "1",
            # Every object of an interpreter is a block of its own.
            "PYTHONMALLOC": "malloc",
        }

    def run(self, argv: Sequence[str | Path], folder: Path) -> CompletedProgram:
        """Run a program to its end; its error output stays in ``folder``, which is made."""
        folder.mkdir(parents=True)
        command = emulator.start(argv, self.variables(folder), self.runner)
        code, output, errors = process.attempt(command, timeout=TIMEOUT)
        (folder / "log").write_text(errors, encoding="utf-8")
        return CompletedProgram(code, output, errors, loader_output(folder))


def loader_output(folder: Path) -> list[str]:
    """The texts that the loader wrote into files in the folder, one for each process."""
    files = sorted(folder.glob("of.*"))
    return [file.read_text(encoding="utf-8", errors="replace") for file in files]
