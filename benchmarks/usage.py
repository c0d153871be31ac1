"""One run of a program and what it took, by a small starter that weighs next to nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError, PackagingError
from pipeline.system import process
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

SOURCE = Path(__file__).with_name("usage.c")
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run took: seconds by the clock, seconds of the processors, KiB at the most.

    The processors' time and the size are those of the program and of all that it has waited for.
    """

    wall: float
    cpu: float
    resident: int
    output: str


@dataclass(frozen=True, slots=True)
class Starter:
    """The compiled starter, and the folder that it writes its figures into."""

    program: Path

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        error: type[PackagingError],
        library: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Usage:
        """Run a program on a library, or (None) on none. Raises ``error`` where it fails.

        That the loader has not taken the library is a failure, too: the program would run on
        another allocator and say nothing.
        """
        told = self.program.with_name("figures")
        told.unlink(missing_ok=True)
        command = [self.program, told, str(library or ""), *argv]
        _, output, complaint = process.attempt(command, cwd=cwd, env=env, timeout=PATIENCE)
        figures = told.read_text().split() if told.is_file() else []
        if figures[3:] != ["0"] or "cannot be preloaded" in complaint:
            raise error(
                f"{Path(argv[0]).name} cannot be measured" + (f" on {library}" if library else ""),
                got=f"exit code {figures[3]}" if figures else "no end within the time",
                detail="\n".join((output + complaint).splitlines()[-process.LAST_LINES :]),
            )
        wall, cpu, resident = (int(figure) for figure in figures[:3])
        return Usage(wall / 1e9, cpu / 1e6, resident, output)


def starter(plan: Plan, workspace: Workspace, folder: Path) -> Starter:
    """Compile the starter into a folder."""
    return Starter(compiled(SOURCE, plan, workspace, folder))


def compiled(source: Path, plan: Plan, workspace: Workspace, folder: Path) -> Path:
    """A C file of ours as a program in ``folder``, by the compiler of our packages.

    It must not know what malloc does: it would leave out the calls that are to be measured.
    """
    target = folder / source.stem
    flags = ("-std=gnu11", "-O2", "-g0", "-fno-builtin", *plan.compiler.isa[plan.machine.isa])
    process.run(
        [*compiler.command(plan), *flags, source, "-o", target, "-lpthread"],
        log=folder / "log",
        error=HostError,
        what=f"{source.name} does not compile",
        env=compiler.environment(plan, workspace),
    )
    return target
