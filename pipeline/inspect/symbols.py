"""The dynamic symbols of a shared library: its imports with their versions, and its exports."""

import struct
from collections.abc import Iterator, Mapping

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import Symbol, SymbolTableSection

from pipeline.model import VersionedSymbol

# The high bit of a symbol's version index only says that no other library may bind to it.
_INDEX = 0x7FFF
# Size in bytes of an entry in the table of required versions.
_ENTRY = 16
# What other libraries can bind to.
_VISIBLE = ("STV_DEFAULT", "STV_PROTECTED")
_BOUND = ("STB_GLOBAL", "STB_WEAK", "STB_LOOS")

# Relative relocations in the packed form, and the version of the C library that a linker should
# require for them. Without that version, older loaders load the library, and the program crashes.
_PACKED = ("SHT_RELR", "GLIBC_ABI_DT_RELR")


def needed(elf: ELFFile) -> tuple[VersionedSymbol, ...]:
    """The symbols that other libraries must define, and the versions required without a symbol.

    A weak symbol without a version is left out: it may be undefined.
    """
    versions = _versions(elf)
    imports = []
    for symbol, index in zip(_table(elf).iter_symbols(), _indexes(elf), strict=True):
        version, file = versions.get(index, ("", ""))
        if symbol.name and _is_import(symbol) and (version or not _is_weak(symbol)):
            imports.append(VersionedSymbol(symbol.name, version, file))
    used = {(symbol.version, symbol.file) for symbol in imports}
    bare = [entry for entry in (*versions.values(), *_packed(elf)) if entry not in used]
    return (*imports, *(VersionedSymbol("", version, file) for version, file in bare))


def exports(elf: ELFFile) -> frozenset[str]:
    """The names of the symbols that other libraries can bind to."""
    return frozenset(
        symbol.name
        for symbol in _table(elf).iter_symbols()
        if not _is_import(symbol)
        and symbol["st_info"]["bind"] in _BOUND
        and symbol["st_other"]["visibility"] in _VISIBLE
    )


def _table(elf: ELFFile) -> SymbolTableSection:
    for section in elf.iter_sections("SHT_DYNSYM"):
        if isinstance(section, SymbolTableSection):
            return section
    raise ELFError("no dynamic symbols")


def _indexes(elf: ELFFile) -> Iterator[int]:
    """The version index of each dynamic symbol, in the order of the table."""
    for section in elf.iter_sections():
        if isinstance(section, GNUVerSymSection):
            data = section.data()
            order = "<" if elf.little_endian else ">"
            yield from (number & _INDEX for (number,) in struct.iter_unpack(f"{order}H", data))
            return
    yield from (0 for _ in range(_table(elf).num_symbols()))


def _versions(elf: ELFFile) -> Mapping[int, tuple[str, str]]:
    """The versions that are required of other libraries: index to version and file."""
    sections = [part for part in elf.iter_sections() if isinstance(part, GNUVerNeedSection)]
    # The next entry is named by its offset, so a malformed table may have no end.
    if any(part.num_versions() * _ENTRY > elf.stream_len for part in sections):
        raise ELFError("more versions than fit into the file")
    return {
        entry["vna_other"] & _INDEX: (entry.name, file.name or "")
        for section in sections
        for file, entries in section.iter_versions()
        for entry in entries
    }


def _packed(elf: ELFFile) -> Iterator[tuple[str, str]]:
    kind, version = _PACKED
    required = {name for name, _ in _versions(elf).values()}
    if version not in required and any(elf.iter_sections(kind)):
        yield version, f"a {kind} section"


def _is_import(symbol: Symbol) -> bool:
    return bool(symbol["st_shndx"] == "SHN_UNDEF")


def _is_weak(symbol: Symbol) -> bool:
    return bool(symbol["st_info"]["bind"] == "STB_WEAK")
