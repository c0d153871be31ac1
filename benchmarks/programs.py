"""Programs that are measured: the workloads, compiled where they are C, and one run of them."""

import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings import Workload
from pipeline.compare.allocators import Allocator
from pipeline.model import Plan
from pipeline.model.errors import CompareError, HostError
from pipeline.system import process
from pipeline.system.temporary import temporary
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

SOURCES = Path(__file__).with_name("workloads")
STARTER = Path(__file__).with_name("usage.c")
PAIRS = Path(__file__).with_name("pairs.c")
COUNTER = "valgrind"
TIMEOUT = 300.0

_COMPILED = "{program}"
_TOTAL = re.compile(r"^(?:totals|summary): (\d+)$", re.MULTILINE)
_NAMED = re.compile(r"^(c?)ob=\((\d+)\)(?: (.+))?$")
_COST = re.compile(r"^(?:\*|[+-]?\d+) (\d+)$")
_OBJECT = re.compile(r"^c?ob=\(\d+\) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """A workload of this host: its commands for the two sizes, and its environment."""

    name: str
    timed: tuple[str, ...]
    counted: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run took: seconds by the clock, seconds of the processors, KiB at most.

    The processors' time and the size include those of the processes that it has waited for.
    """

    wall: float
    cpu: float
    resident: int
    output: str


def gather(
    workloads: Iterable[Workload], plan: Plan, workspace: Workspace, folder: Path
) -> tuple[list[Program], dict[str, str]]:
    """The programs of this host, and why others are missing, by name."""
    programs, missing = list[Program](), dict[str, str]()
    for workload in workloads:
        first, *others = workload.command
        if first == _COMPILED:
            source = SOURCES / f"{workload.name}.c"
            path: str | None = str(compiled(source, plan, workspace, folder))
        else:
            path = shutil.which(first)
        if path is None or (workload.needs and not shutil.which(workload.needs)):
            missing[workload.name] = f"no {workload.needs or first} on this host"
            continue
        timed, counted = (
            (path, *(word.format(size=size, sources=SOURCES) for word in others))
            for size in (workload.size, workload.counted)
        )
        programs.append(Program(workload.name, timed, counted, workload.environment))
    return programs, missing


def compiled(source: Path, plan: Plan, workspace: Workspace, folder: Path) -> Path:
    """A C file as a program in ``folder``, by the compiler of our packages.

    The compiler must not know malloc: it would leave out the calls that are measured.
    """
    target = folder / source.stem
    flags = ("-std=gnu11", "-O2", "-g0", "-fno-builtin", *plan.compiler.isa[plan.machine.isa])
    process.run(
        [*compiler.command(plan), *flags, source, "-o", target, "-lpthread"],
        log=folder / "log",
        error=HostError(f"{source.name} does not compile"),
        env=compiler.environment(plan, workspace),
    )
    return target


def measure(
    starter: Path,
    argv: Sequence[str | Path],
    *,
    library: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Usage:
    """Run a program by the compiled starter, on a library or (None) on none.

    Raises CompareError where it fails, or where the loader rejects the library: the program would
    run on another allocator.
    """
    result = starter.with_name("result")
    result.unlink(missing_ok=True)
    command = [starter, result, str(library or ""), *argv]
    _, output, errors = process.attempt(command, cwd=cwd, env=env, timeout=TIMEOUT)
    numbers = result.read_text().split() if result.is_file() else []
    if numbers[3:] != ["0"] or "cannot be preloaded" in errors:
        raise CompareError(
            f"{Path(argv[0]).name} cannot be measured" + (f" on {library}" if library else ""),
            got=f"exit code {numbers[3]}" if numbers else "no end within the time",
            detail=process.last_lines(output + errors),
        )
    wall, cpu, resident = map(int, numbers[:3])
    return Usage(wall / 1e9, cpu / 1e6, resident, output)


def count(program: Program, allocator: Allocator) -> tuple[int, str]:
    """The instructions of a program and of all that it starts, by callgrind; and its output.

    Raises CompareError where it fails, or where no instruction of the library is among them.
    """
    profiles, output = _profiles(program, allocator)
    return sum(map(total, profiles)), output


def count_inside(program: Program, allocator: Allocator) -> int:
    """The instructions of a program that are the library's own; raises CompareError like count."""
    assert allocator.library
    profiles, _ = _profiles(program, allocator)
    return sum(inside(profile, allocator.library) for profile in profiles)


def _profiles(program: Program, allocator: Allocator) -> tuple[list[str], str]:
    """What callgrind writes of each process of a program, and the program's output."""
    with temporary("benchmark") as folder:
        command = [COUNTER, "--tool=callgrind", "--trace-children=yes", "--quiet"]
        command += [f"--callgrind-out-file={folder}/%p", *program.counted]
        env = {**program.env, **allocator.variables()}
        code, output, errors = process.attempt(command, env=env, timeout=TIMEOUT)
        profiles = [file.read_text(errors="replace") for file in folder.iterdir()]
    what, library = f"{program.name} cannot be counted", allocator.library
    if code != 0 or not profiles:
        raise CompareError(what, got=f"exit code {code}", detail=errors)
    if library and not any(executed(profile, library) for profile in profiles):
        raise CompareError(what, expected=f"instructions in {library}", got="none")
    return profiles, output


def total(profile: str) -> int:
    """The sum of instructions in a file of callgrind's."""
    match = _TOTAL.search(profile)
    return int(match[1]) if match else 0


def inside(profile: str, library: Path) -> int:
    """The instructions of a library in a file of callgrind's, without what it calls elsewhere."""
    names: dict[str, str] = {}
    current, called, instructions = "", False, 0
    for line in profile.splitlines():
        if match := _NAMED.match(line):
            callee, number, name = match.groups()
            names[number] = name or names[number]
            current = current if callee else names[number]
        elif line.startswith("calls="):
            called = True  # the next line has the cost of the callee
        elif match := _COST.match(line):
            own = not called and current == str(library.resolve())
            instructions += int(match[1]) if own else 0
            called = False
    return instructions


def executed(profile: str, library: Path) -> bool:
    """Whether a file of callgrind's has instructions of a library."""
    return str(library.resolve()) in _OBJECT.findall(profile)


def check_output(program: str, allocator: str, outputs: Collection[str]) -> None:
    """Raise CompareError unless a program prints something, and always the same.

    ``outputs`` are those on an allocator and on the C library's.
    """
    if len(outputs) != 1 or "" in outputs:
        endings = [(output.splitlines() or ["no output"])[-1] for output in sorted(outputs)]
        raise CompareError(
            f"{program} has another result on {allocator}",
            expected="one output, the same as on the C library's allocator",
            got=", ".join(endings),
            hint="a workload must always do the same; or the allocator gives out memory twice",
        )
