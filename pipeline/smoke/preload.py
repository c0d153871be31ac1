"""Programs on a preloaded library: how one is started, and what shows that it is in use."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Trial
from pipeline.smoke.probe import TIMEOUT
from pipeline.system import process
from pipeline.toolchain import emulator

# The functions that an allocator must replace to take the place of the C library's.
ENTRY_POINTS = ("calloc", "free", "malloc", "posix_memalign", "realloc")

_BINDING = re.compile(r"binding file ([^\n]+?) \[\d+\] to ([^\n]+?) \[\d+\]: normal symbol `(\w+)'")
_STARTED = re.compile(r"transferring control: (\S+)")
_LEVEL = re.compile(r"secure level: (\d+)")


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

    ``path`` is what users preload: the link without a number. ``mi_version`` and
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


@dataclass(frozen=True, slots=True)
class Assertion:
    """One thing that must hold: the value that is expected, and the one that was observed."""

    what: str
    expected: str
    got: str

    @property
    def holds(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.got

    def line(self) -> str:
        """The assertion as the user reads it."""
        difference = "" if self.holds else f"expected {self.expected}, got "
        return f"{self.what}: {difference}{self.got}"


def verdict(name: str, assertions: Sequence[Assertion]) -> Trial:
    """The result of one program: passed where every assertion holds, else with those that fail."""
    failed = [assertion for assertion in assertions if not assertion.holds]
    return Trial(name, not failed, "\n".join(item.line() for item in failed or assertions))


def on_library(
    program: CompletedProgram,
    library: LibraryUnderTest,
    processes: int = 1,
    calls: Sequence[str] = ENTRY_POINTS,
) -> list[Assertion]:
    """A program has ended well, and each process that it started makes its calls to the library."""
    return [
        Assertion("processes in the loader's output", str(processes), str(len(program.traces))),
        *(bound(trace, library.path, calls) for trace in program.traces),
        logged(program.errors, "process init", processes),
        not_rejected(program.errors),
        Assertion("exit code", "0", str(program.exit_code)),
    ]


def bindings(trace: str) -> set[tuple[str, str, str]]:
    """The calls of entry points that the loader has bound: name, calling file, called file."""
    matches = _BINDING.findall(trace)
    return {(name, caller, target) for caller, target, name in matches if name in ENTRY_POINTS}


def bound(trace: str, library: Path, names: Sequence[str] = ENTRY_POINTS) -> Assertion:
    """The loader binds each of ``names`` to the library, and no entry point to another file.

    A program at a fixed address that takes the address of ``malloc`` is what its libraries are
    bound to; such a call still ends in what the program itself is bound to.
    """
    own, calls = str(library), bindings(trace)
    ours = sorted({name for name, _, target in calls if target == own}.intersection(names))
    foreign = {call for call in calls if call[2] != own and (call[0], call[2], own) not in calls}
    elsewhere = sorted({f"{name} in {target}" for name, _, target in foreign})
    got = ", ".join(elsewhere) or " ".join(ours) or "none"
    started = _STARTED.search(trace)
    program = Path(started[1]).name if started else "the program"
    return Assertion(f"{program} is bound to the library", " ".join(sorted(names)), got)


def mapped(processes: Mapping[str, Collection[str]], library: Path) -> Assertion:
    """Every process, by its name, has code of the library mapped, and of no other mimalloc.

    The kernel names the file itself, and not the link that is preloaded.
    """
    file, different = str(library.resolve()), []
    for name, paths in processes.items():
        libraries = sorted(path for path in paths if Path(path).name.startswith("libmimalloc"))
        if libraries != [file]:
            different.append(f"{name} {', '.join(libraries) or 'no libmimalloc'}")
    return Assertion(f"mapped by {', '.join(processes)}", file, "; ".join(different) or file)


def logged(errors: str, message: str, processes: int) -> Assertion:
    """Mimalloc prints a message once in each process.

    ``process init`` is printed where a program starts, and not where one forks; ``process done``
    is printed by every process that ends by itself.
    """
    count = errors.count(f"{message}: ")
    return Assertion(f"messages {message!r} of mimalloc", str(processes), str(count))


def secure_level(errors: str, level: int) -> Assertion:
    """Mimalloc prints how far its mitigations go."""
    levels = ", ".join(sorted(set(_LEVEL.findall(errors))))
    return Assertion("secure level that mimalloc prints", str(level), levels or "nothing")


def not_rejected(errors: str) -> Assertion:
    """The loader has not ignored the library: it prints so, and the program runs without it."""
    lines = {line.strip() for line in errors.splitlines() if "cannot be preloaded" in line}
    return Assertion("errors of the loader", "none", "; ".join(sorted(lines)) or "none")
