"""What speaks against preloading an allocator into a program, as far as its file tells."""

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
from pipeline.inspect.malformed import BROKEN

# What an allocator defines, and names that only those define who bring one of their own.
_ENTRIES = ("malloc", "free", "realloc")
_MARKS = re.compile(r"(_rjem_|je_|rpmalloc_|tc_|mi_)(malloc|mallocx|free)|runtime\.mallocgc")
_TABLES = (".dynsym", ".symtab")
_SHEBANG = b"#!"
_CAPABILITIES = "security.capability"


def warnings(file: Path) -> Iterator[str]:
    """Reasons why a preload does nothing, or does harm; none for most programs."""
    interpreter = _interpreter(file)
    if interpreter:
        yield from warnings(interpreter)
        return
    yield from _privileges(file)
    try:
        handle = file.open("rb")
    except PermissionError:
        yield f"{file} cannot be read, so nothing is known of it"
        return
    with handle:
        try:
            yield from _of_elf(file, ELFFile(handle))
        except BROKEN:
            yield f"{file} is no ELF file: what runs it is not known"


def _interpreter(file: Path) -> Path | None:
    """What runs a script; through env, what that finds."""
    try:
        with file.open("rb") as handle:
            line = handle.readline(256)
    except OSError:
        return None
    if not line.startswith(_SHEBANG):
        return None
    words = line[len(_SHEBANG) :].decode(errors="replace").split()
    plain = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if words and Path(words[0]).name == "env" and plain:
        found = shutil.which(plain[0])
        return Path(found) if found else None
    return Path(words[0]) if words and Path(words[0]) != file else None


def _privileges(file: Path) -> Iterator[str]:
    """The loader ignores LD_PRELOAD where the program gets rights that its user lacks."""
    status = file.stat()
    gains = {
        "set-uid": status.st_mode & stat.S_ISUID and status.st_uid != os.geteuid(),
        "set-gid": status.st_mode & stat.S_ISGID and status.st_gid != os.getegid(),
        "given capabilities": os.geteuid() != 0 and _has_capabilities(file),
    }
    for gain, given in gains.items():
        if given:
            yield f"{file} is {gain}: the loader ignores LD_PRELOAD (AT_SECURE)"


def _has_capabilities(file: Path) -> bool:
    try:
        return bool(os.getxattr(file, _CAPABILITIES))
    except OSError:
        return False


def _of_elf(file: Path, elf: ELFFile) -> Iterator[str]:
    if not any(segment["p_type"] == "PT_INTERP" for segment in elf.iter_segments()):
        yield f"{file} is statically linked: it has no loader to preload anything"
        return
    needed = (
        str(getattr(tag, "needed", ""))
        for section in elf.iter_sections()
        if isinstance(section, DynamicSection)
        for tag in section.iter_tags("DT_NEEDED")
    )
    for name in needed:
        if ALLOCATORS.match(name):
            yield f"{file} brings an allocator: it needs {name}; a preload takes its place"
    defined = set(_defined(elf))
    if {*_ENTRIES} <= defined:
        yield f"{file} defines malloc itself, and libraries may call another one than it does"
    marks = sorted(name for name in defined if _MARKS.fullmatch(name))
    if marks:
        yield f"{file} brings an allocator of its own ({marks[0]}): a preload does not replace it"


def _defined(elf: ELFFile) -> Iterator[str]:
    for table in map(elf.get_section_by_name, _TABLES):
        if isinstance(table, SymbolTableSection):
            for symbol in table.iter_symbols():
                if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["type"] == "STT_FUNC":
                    yield symbol.name
