"""Run any program on a built library: warnings before, and which processes were on it, after."""

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pipeline.artifact import placement
from pipeline.build import selection
from pipeline.config.allocators import ALLOCATORS
from pipeline.inspect import payload
from pipeline.inspect.symbols import MALFORMED, sections
from pipeline.model import Selection
from pipeline.model.errors import HostError, RequestError, RunError
from pipeline.smoke import preload
from pipeline.system import process, workspace
from pipeline.system.report import Report
from pipeline.system.temporary import temporary
from pipeline.toolchain import emulator

# Functions of an allocator, and names that only programs with an allocator of their own define.
_ENTRY_POINTS = {"malloc", "free", "realloc"}
_MARKS = re.compile(r"(_rjem_|je_|rpmalloc_|tc_|mi_)(malloc|mallocx|free)|runtime\.mallocgc")


def run(root: Path, selected: Selection, argv: Sequence[str]) -> int:
    """Run a program on the library of one package; its exit code.

    Raises RunError where it ended well, but was not on the library.
    """
    report, plan = Report(), selection.single(root, selected, "a program runs on one library")
    if not argv:
        raise RequestError("no program", hint="invoke run -- PROGRAM ARGUMENT ...")
    path = shutil.which(argv[0])
    if not path:
        raise HostError(f"no program {argv[0]}", hint="a path, or a name on PATH")
    rpm = placement.existing(plan, workspace.locate(root))
    if not emulator.runs_here(plan):
        raise RequestError("this host cannot run programs for the package", got=plan.label)
    for warning in warnings(Path(path)):
        report.aside(f"warning: {warning}")
    with temporary("run") as scratch:
        library = payload.place(payload.unpack(rpm, scratch), plan.preload)
        traces = Path(scratch, "traces")
        # The program may go on as another user: everybody may read one, and write to the other.
        scratch.chmod(0o755)
        traces.mkdir()
        traces.chmod(0o1777)
        debug = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(traces / "of")}
        code = process.foreground([path, *argv[1:]], {"LD_PRELOAD": str(library), **debug})
        on_library, others = split(preload.loader_output(traces), library)
    report.aside(f"on {plan.recipe.version} ({plan.soname}): {' '.join(on_library) or 'none'}")
    if others:
        report.aside(f"not on it: {' '.join(others)}")
    if not on_library and code == 0:
        raise RunError(
            f"{argv[0]} was not on the library",
            got="other programs only in the loader's output" if others else "no loader output",
            hint="see the warnings above; docs/administrator.md lists what prevents the preload",
        )
    return code


def split(traces: Iterable[str], library: Path) -> tuple[list[str], list[str]]:
    """The programs that were started with the library, and without it, by the loader's output.

    A process may run several programs: their libraries, their start, those of the next one.
    """
    on_library, others = set[str](), set[str]()
    for trace in traces:
        for loaded, started in pairwise(trace.split("transferring control: ")):
            programs = on_library if f"calling init: {library}\n" in loaded else others
            programs.add(Path(started.splitlines()[0]).name)
    return sorted(on_library), sorted(others)


def warnings(file: Path) -> Iterator[str]:
    """Reasons why a preload has no effect, or does harm; none for most programs."""
    file = _interpreter(file) or file
    yield from _privileges(file)
    try:
        with file.open("rb") as content:
            yield from _contents(file, ELFFile(content))
    except MALFORMED:
        yield f"{file} cannot be read as an ELF file, so it was not checked"


def _interpreter(file: Path) -> Path | None:
    """The program that runs a script; where that is env, the program that env finds."""
    try:
        with file.open("rb") as content:
            line = content.readline(256).decode(errors="replace")
    except OSError:
        return None
    words = line[2:].split() if line.startswith("#!") else []
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    path = shutil.which(words[0]) if words else None
    return Path(path) if path else None


def _privileges(file: Path) -> Iterator[str]:
    """The loader ignores LD_PRELOAD where the program gains rights that its user lacks."""
    status = file.stat()
    try:
        has_capabilities = "security.capability" in os.listxattr(file)
    except OSError:
        has_capabilities = False
    gains = {
        "set-uid": status.st_mode & stat.S_ISUID and status.st_uid != os.geteuid(),
        "set-gid": status.st_mode & stat.S_ISGID and status.st_gid != os.getegid(),
        "a file with capabilities": has_capabilities and os.geteuid() != 0,
    }
    for gain in filter(gains.get, gains):
        yield f"{file} is {gain}: the loader ignores LD_PRELOAD (AT_SECURE)"


def _contents(file: Path, elf: ELFFile) -> Iterator[str]:
    if not any(elf.iter_segments("PT_INTERP")):
        yield f"{file} is statically linked: it has no loader that could preload anything"
        return
    defined = set[str]()
    for table in sections(elf, SymbolTableSection):
        defined |= {
            symbol.name
            for symbol in table.iter_symbols()
            if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["type"] == "STT_FUNC"
        }
    for dynamic in sections(elf, DynamicSection):
        for name in (str(getattr(tag, "needed", "")) for tag in dynamic.iter_tags("DT_NEEDED")):
            if ALLOCATORS.match(name):
                yield f"{file} needs the allocator {name}: a preload replaces it"
    if defined >= _ENTRY_POINTS:
        yield f"{file} defines malloc itself, and its libraries may call another one"
    marks = sorted(filter(_MARKS.fullmatch, defined))
    if marks:
        yield f"{file} has an allocator of its own ({marks[0]}): a preload does not replace it"
