"""Reasons against preloading an allocator into a program, as far as its file shows them."""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pipeline.config.allocators import ALLOCATORS
from pipeline.inspect.malformed import MALFORMED

# Functions of an allocator, and names that only programs with an allocator of their own define.
_ENTRY_POINTS = {"malloc", "free", "realloc"}
_MARKS = re.compile(r"(_rjem_|je_|rpmalloc_|tc_|mi_)(malloc|mallocx|free)|runtime\.mallocgc")


def warnings(file: Path) -> Iterator[str]:
    """Reasons why a preload has no effect, or does harm; none for most programs."""
    interpreter = _interpreter(file)
    if interpreter:
        yield from warnings(interpreter)
        return
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
    if not line.startswith("#!"):
        return None
    program, *arguments = line[2:].split() or [""]
    if Path(program).name == "env":
        program = next((w for w in arguments if not w.startswith("-") and "=" not in w), "")
    path = shutil.which(program)
    return Path(path) if path and Path(path) != file else None


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
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            defined |= {
                symbol.name
                for symbol in section.iter_symbols()
                if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["type"] == "STT_FUNC"
            }
        tags = section.iter_tags("DT_NEEDED") if isinstance(section, DynamicSection) else ()
        for name in (str(getattr(tag, "needed", "")) for tag in tags):
            if ALLOCATORS.match(name):
                yield f"{file} needs the allocator {name}: a preload replaces it"
    if defined >= _ENTRY_POINTS:
        yield f"{file} defines malloc itself, and its libraries may call another one"
    marks = sorted(filter(_MARKS.fullmatch, defined))
    if marks:
        yield f"{file} has an allocator of its own ({marks[0]}): a preload does not replace it"
