"""A shared library, read from its ELF file: what it is, what it needs, how it was made."""

from collections.abc import Iterator
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import Section

from pipeline.inspect import hardening, instructions, notes, symbols
from pipeline.inspect.malformed import BROKEN
from pipeline.model import Library
from pipeline.model.errors import CheckError

# Bit of DT_FLAGS: the library's thread-local storage must be in the block that is there at start.
_STATIC_TLS = 1 << 4
# Relocations and the function by which a library has the loader find thread-local storage anew.
_DYNAMIC_TLS = ("TLSDESC", "DTPMOD")
_FIND_TLS = "__tls_get_addr"

# Sections that only a debugger reads.
_LEFTOVERS = (".symtab", ".debug", ".zdebug", ".gnu_debug", ".gdb_index")


def read(file: Path) -> Library:
    """The facts of a shared library. Raises CheckError where the file is none."""
    with file.open("rb") as content:
        try:
            return _read(ELFFile(content))
        except BROKEN as problem:
            raise CheckError(
                f"{file.name} is not a shared library that can be read",
                expected="an ELF file with a dynamic section",
                got=str(problem) or type(problem).__name__,
                file=file,
            ) from problem


def _read(elf: ELFFile) -> Library:
    dynamic = _dynamic(elf)
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags()}
    needed, exports = symbols.needed(elf), symbols.exports(elf)
    wanted = {symbol.name for symbol in needed}
    rpaths = [*_strings(dynamic, "rpath"), *_strings(dynamic, "runpath")]
    tls = sum(part["p_memsz"] for part in elf.iter_segments("PT_TLS"))
    return Library(
        machine=str(elf["e_machine"]).removeprefix("EM_").lower(),
        soname="".join(_strings(dynamic, "soname")),
        needed=_strings(dynamic, "needed"),
        rpath=":".join(rpaths),
        build_id=notes.build_id(elf),
        symbols=needed,
        exports=exports,
        hardening=hardening.traits(elf, tags, wanted),
        tls=tls,
        static_tls=not tls or _is_static(elf, tags, wanted),
        load_alignment=min((part["p_align"] for part in elf.iter_segments("PT_LOAD")), default=0),
        leftovers=tuple(part.name for part in elf.iter_sections() if _is_leftover(part)),
        instructions=instructions.count(elf),
    )


def _dynamic(elf: ELFFile) -> DynamicSection:
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            return section
    raise ELFError("no dynamic section")


def _strings(dynamic: DynamicSection, kind: str) -> tuple[str, ...]:
    """The values of a dynamic tag that holds text, such as ``needed``."""
    return tuple(getattr(tag, kind) for tag in dynamic.iter_tags(f"DT_{kind.upper()}"))


def _is_static(elf: ELFFile, tags: dict[str, int], wanted: set[str]) -> bool:
    """Whether all thread-local storage is reached at a fixed distance from the thread pointer."""
    if not tags.get("DT_FLAGS", 0) & _STATIC_TLS or _FIND_TLS in wanted:
        return False
    return not any(name in kind for kind in _relocations(elf) for name in _DYNAMIC_TLS)


def _relocations(elf: ELFFile) -> Iterator[str]:
    """The names of the kinds of the relocations that the loader does."""
    kinds = symbols.relocation_names(elf)
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection):
            for relocation in section.iter_relocations():
                yield kinds.get(relocation["r_info_type"], "")


def _is_leftover(section: Section) -> bool:
    return section.name.startswith(_LEFTOVERS)
