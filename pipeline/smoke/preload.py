"""How a program is started on the library: the one place for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pipeline.system import process
from pipeline.toolchain.emulator import HERE, Runner, Start

# Seconds after which a program has failed; each takes about one.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The library that programs are run on.

    ``library`` is the path that users preload, the link that is named as the soname; ``version`` is
    what ``mi_version()`` must say, ``level`` the secure level that it must tell of. ``runner``
    starts programs of its machine; without it, for comparison, where it is not ``preloaded``.
    """

    library: Path
    version: int
    level: int = 0
    runner: Runner = HERE
    preloaded: bool = True

    def bare(self) -> Self:
        """The same, for programs that are run without the library."""
        return replace(self, preloaded=False)

    @property
    def file(self) -> Path:
        """The library itself: what the kernel maps, and so what ``/proc/PID/maps`` names."""
        return self.library.resolve()


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended: its exit code (below 0: a signal), output and error output.

    ``traces`` is what the loader told of each process that was started, by process id.
    """

    code: int
    output: str
    complaint: str
    traces: Mapping[int, str]


def start(
    argv: Sequence[str | Path],
    subject: Subject,
    traces: Path,
    env: Mapping[str, str] | None = None,
) -> Start:
    """A program on the library, with loader and library telling what they do; or without it.

    The loader writes into files below ``traces``, the library to the error output.
    """
    if not subject.preloaded:
        return subject.runner.start(argv, env or {})
    settings = {
        "LD_PRELOAD": str(subject.library),
        # A colon, because an emulator takes a comma for the end of the variable.
        "LD_DEBUG": "bindings:libs",
        "LD_DEBUG_OUTPUT": str(traces / "of"),
        "MIMALLOC_VERBOSE": "1",
    }
    return subject.runner.start(argv, {**settings, **(env or {})})


def attempt(
    argv: Sequence[str | Path],
    subject: Subject,
    traces: Path,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Run a program to its end; its error output stays in ``traces`` too."""
    traces.mkdir(parents=True, exist_ok=True)
    begin = start(argv, subject, traces, env)
    code, output, complaint = process.attempt(begin.argv, env=begin.env, timeout=PATIENCE)
    (traces / "log").write_text(complaint, encoding="utf-8")
    return Ran(code, output, complaint, loader_output(traces))


def loader_output(traces: Path) -> dict[int, str]:
    """What the loader wrote, by the id of the process that it wrote it for."""
    return {
        int(file.suffix[1:]): file.read_text(encoding="utf-8", errors="replace")
        for file in sorted(traces.glob("of.*"))
    }
