"""The facts of a shared library, read from its ELF file."""

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.descriptions import describe_reloc_type
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from pipeline.inspect import hardening, instructions, notes, symbols
from pipeline.inspect.malformed import MALFORMED
from pipeline.model import Library
from pipeline.model.errors import CheckError

# Bit of DT_FLAGS: thread-local storage must be in the block that exists when the program starts.
_STATIC_TLS = 1 << 4
# Relocations and the function by which a library asks the loader for thread-local storage.
_DYNAMIC_TLS = ("TLSDESC", "DTPMOD")
_FIND_TLS = "__tls_get_addr"

# Sections that only a debugger reads.
_LEFTOVERS = (".symtab", ".debug", ".zdebug", ".gnu_debug", ".gdb_index")


def read(file: Path) -> Library:
    """The facts of a shared library. Raises CheckError if the file is none."""
    with file.open("rb") as content:
        try:
            return _read(ELFFile(content))
        except MALFORMED as problem:
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
    imports = {symbol.name for symbol in needed}
    rpaths = [*_strings(dynamic, "rpath"), *_strings(dynamic, "runpath")]
    tls = sum(segment["p_memsz"] for segment in elf.iter_segments("PT_TLS"))
    alignments = [segment["p_align"] for segment in elf.iter_segments("PT_LOAD")]
    sections = [section.name for section in elf.iter_sections()]
    return Library(
        machine=str(elf["e_machine"]).removeprefix("EM_").lower(),
        soname="".join(_strings(dynamic, "soname")),
        needed=_strings(dynamic, "needed"),
        rpath=":".join(rpaths),
        build_id=notes.build_id(elf),
        symbols=needed,
        exports=exports,
        hardening=hardening.traits(elf, tags, imports),
        tls=tls,
        static_tls=not tls or _is_static(elf, tags, imports),
        load_alignment=min(alignments, default=0),
        leftovers=tuple(name for name in sections if name.startswith(_LEFTOVERS)),
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


def _is_static(elf: ELFFile, tags: dict[str, int], imports: set[str]) -> bool:
    """Whether all thread-local storage has a fixed distance from the thread pointer."""
    if not tags.get("DT_FLAGS", 0) & _STATIC_TLS or _FIND_TLS in imports:
        return False
    kinds = (
        describe_reloc_type(relocation["r_info_type"], elf)
        for section in elf.iter_sections()
        if isinstance(section, RelocationSection)
        for relocation in section.iter_relocations()
    )
    return not any(name in kind for kind in kinds for name in _DYNAMIC_TLS)
