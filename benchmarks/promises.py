"""What each release keeps of the C library's promises: as upstream tagged it, and as we package it.

Writes docs/library.json, and docs/library.md from it.
"""

import hashlib
import json
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from elftools.elf.elffile import ELFFile

from benchmarks import programs, promises_page
from benchmarks.programs import Program
from benchmarks.settings import Settings
from pipeline.build import make, selection
from pipeline.compare.allocators import C_LIBRARY, Allocator
from pipeline.config import load
from pipeline.inspect import payload, symbols
from pipeline.inspect.instructions import disassembler
from pipeline.model import Plan
from pipeline.model.errors import CompareError
from pipeline.smoke import probe, trials
from pipeline.system import process, workspace
from pipeline.system.report import QuietReport, Report
from pipeline.system.temporary import temporary
from pipeline.system.workspace import StepDirs, Workspace, place_text
from pipeline.toolchain import host_programs
from tests.build import base_programs

# More forks than in the check of a package: as upstream tagged it, 2.0.6 hangs in 3 of 10,000. A
# child has hung after ten seconds, and a probe that sees sixteen of them ends early.
FORKS = ("10000", "4", "10")
_FORKS = re.compile(r"forks (\d+) hung (\d+) crashed (\d+) wrong (\d+)")
_COUNTS = re.compile(r"calls (\d+) violations (\d+)$", re.MULTILINE)
_PEAK = re.compile(r"peak (?:MiB )?(\d+)")

# The memory that is measured on the C library's allocator, too.
PEAKS = ("reclaimer", "sparse")

# The instructions that are counted: of workloads, and of an allocation and its free.
COUNTED = ("small", "mixed")
PAIRS, TIMES = ("malloc", "calloc", "realloc"), 200_000


@dataclass(frozen=True, slots=True)
class Side:
    """What was measured on one library.

    ``failed`` are trials; ``counts`` are calls and violations by rule, of the variant with most
    violations; ``forks`` are forks, and children that hung, crashed, or found wrong content;
    ``peaks`` are MiB; ``instructions`` are those executed inside the library; ``code`` is how many
    instructions a function has, and their digest; ``programs`` are the command lines, by group,
    that print something else than without the library.
    """

    failed: Sequence[str]
    counts: Mapping[str, tuple[int, int]]
    forks: Sequence[int]
    peaks: Mapping[str, int]
    instructions: Mapping[str, float]
    code: Mapping[str, tuple[int, str]]
    programs: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What all measurements share.

    ``expected`` are results without a library, by group and command line; ``missing`` are groups
    that need a program which this host lacks.
    """

    settings: Settings
    place: Workspace
    scratch: Path
    inputs: Path
    expected: Mapping[tuple[str, str], base_programs.Result]
    missing: Sequence[str]


def run(settings: Settings, root: Path, report: Report) -> None:
    """Measure every pinned release, and write the data and the page."""
    place, dist = workspace.locate(root), settings.library.dist
    machine = host_programs.description()
    with temporary("benchmark") as folder:
        setup = prepared(settings, place, folder, report)
        releases = {}
        for version in load.versions(root):
            plan = selection.plan(root, version, dist, platform.machine())
            patches = promises_page.patches(root, plan.recipe)
            sides = {}
            for name, variant in {"before": without_patches(plan), "after": plan}.items():
                report.line(f"{version} {name}")
                sides[name] = asdict(measured(variant, setup, folder / version / name))
            releases[version] = {"patches": patches, **sides}
        peaks = {name: peak(_probed(name, plan, setup, None)) for name in PEAKS}
    document = {
        **{
            "machine": machine,
            "dist": dist,
            "lines": Counter(group for group, _ in setup.expected),
        },
        **{"missing": setup.missing, C_LIBRARY: peaks, "releases": releases},
    }
    place_text(json.dumps(document, indent=1) + "\n", root / promises_page.DATA)
    promises_page.run(settings, root, report)


def without_patches(plan: Plan) -> Plan:
    """The plan of a release as upstream tagged it."""
    return replace(plan, recipe=replace(plan.recipe, patch=()))


def prepared(settings: Settings, place: Workspace, folder: Path, report: Report) -> Setup:
    """Run all command lines of the base system's programs without a library."""
    (folder / "inputs").mkdir()
    inputs = base_programs.make_inputs(folder / "inputs")
    missing = {group: base_programs.missing(group) for group in base_programs.GROUPS}
    lines = []
    for group, programs_missing in missing.items():
        if programs_missing:
            report.line(f"NOT MEASURED: {group}: no {', '.join(programs_missing)} on this host")
        else:
            lines += [(group, line) for line in base_programs.command_lines(group)]
    results = base_programs.run_all([line for _, line in lines], folder / "expected", inputs, None)
    expected = dict(zip(lines, results, strict=True))
    return Setup(settings, place, folder, inputs, expected, [n for n in missing if missing[n]])


def measured(plan: Plan, setup: Setup, folder: Path) -> Side:
    """Build the package of a plan, and measure its library; what it accepts is a violation here."""
    plan = replace(plan, recipe=replace(plan.recipe, accepted=()))
    make.step(plan, setup.place, QuietReport(), "package")
    built = make.step_dirs(plan, setup.place)
    # The trials write into the step directory of the check, here one of our own.
    dirs = StepDirs(replace(setup.place, root=folder), built.keys)
    payload.unpack(built.packages / plan.file_name, dirs.folder("check"))
    library = payload.place(dirs.unpacked, plan.preload)
    tried = {trial.name: trial for trial in trials.run(plan, dirs)}
    printed = _probed("forks", plan, setup, library)
    forks = _FORKS.search(printed)
    if not forks:
        raise CompareError("the probe of forks did not come to its end", detail=printed)
    numbers = tuple(map(int, forks.groups()))
    failed = {name for name, trial in tried.items() if not trial.passed} - {"conformance"}
    return Side(
        failed=sorted(failed | ({"forks"} if any(numbers[1:]) else set())),
        counts={
            name.removeprefix("conformance: "): counts(trial.output)
            for name, trial in tried.items()
            if name.startswith(("conformance: ", "first-call"))
        },
        forks=numbers,
        peaks={name: peak(tried[name].output) for name in PEAKS},
        instructions=instructions(plan, setup, library),
        code={name: code(library, name) for name in (*PAIRS, "free")},
        programs=different(setup, library, folder / "programs"),
    )


def counts(output: str) -> tuple[int, int]:
    """Calls and violations, of the variant with the most violations."""
    numbers = [(int(calls), int(bad)) for calls, bad in _COUNTS.findall(output)]
    return max(numbers, key=lambda count: (count[1], count[0]), default=(0, 0))


def peak(output: str) -> int:
    """The MiB that a probe of memory prints; raises CompareError where it has printed none."""
    found = _PEAK.search(output)
    if not found:
        raise CompareError("a probe of memory did not come to its end", detail=output)
    return int(found[1])


def _probed(name: str, plan: Plan, setup: Setup, library: Path | None) -> str:
    """What a probe prints on a library, or on the C library's allocator."""
    folder = setup.scratch
    program = probe.compiled(name, plan, setup.place, folder / name, folder / "log")
    argv: list[str | Path] = [program, *(FORKS if name == "forks" else trials.ARGUMENTS[name])]
    env = Allocator(name, library).variables()
    _, output, errors = process.attempt(argv, env=env, timeout=programs.TIMEOUT)
    return errors + output


def instructions(plan: Plan, setup: Setup, library: Path) -> dict[str, float]:
    """Those inside the library: of an allocation and its free, and of whole programs."""
    allocator, folder = Allocator(plan.label, library), setup.scratch
    pairs = str(programs.compiled(programs.PAIRS, plan, setup.place, folder))
    counted: dict[str, float] = {}
    for name in PAIRS:
        none, many = (
            programs.count_inside(Program(name, (), (pairs, name, str(times)), {}), allocator)
            for times in (0, TIMES)
        )
        counted[name] = round((many - none) / TIMES, 2)
    chosen = [workload for workload in setup.settings.workload if workload.name in COUNTED]
    started, _ = programs.gather(chosen, plan, setup.place, folder)
    return counted | {each.name: programs.count_inside(each, allocator) for each in started}


def code(library: Path, name: str) -> tuple[int, str]:
    """The number of instructions of a function, and their digest, wherever they are."""
    with library.open("rb") as file:
        elf = ELFFile(file)
        symbol = next(each for each in symbols.table(elf).iter_symbols() if each.name == name)
        start, size = symbol["st_value"], symbol["st_size"]
        file.seek(next(iter(elf.address_offsets(start, size))))
        listing = [
            f"{each.mnemonic} {re.sub('0x[0-9a-f]{4,}', 'address', each.op_str)}"
            for each in disassembler(elf.get_machine_arch()).disasm(file.read(size), start)
        ]
    return len(listing), hashlib.sha256("\n".join(listing).encode()).hexdigest()[:16]


def different(setup: Setup, library: Path, folder: Path) -> dict[str, list[str]]:
    """The command lines whose results on the library are not those without it, also when repeated.

    By group. A busy machine makes one differ now and then, without the library too.
    """
    remaining = list(setup.expected)
    for number in range(2):
        lines = [line for _, line in remaining]
        results = base_programs.run_all(lines, folder / str(number), setup.inputs, library)
        remaining = [
            (group, line)
            for (group, line), result in zip(remaining, results, strict=True)
            if base_programs.differences(line, setup.expected[group, line], result)
        ]
    found: defaultdict[str, list[str]] = defaultdict(list)
    for group, line in remaining:
        found[group].append(line)
    return dict(found)
