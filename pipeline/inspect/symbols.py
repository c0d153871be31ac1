"""The dynamic symbols of a shared library: what it needs, at which version, and what it gives."""

import struct
from collections.abc import Iterator, Mapping

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_RELOC_TYPE_AARCH64, ENUM_RELOC_TYPE_x64
from elftools.elf.gnuversions import (
    GNUVerNeedSection,
    GNUVerSymSection,
    Version,
    VersionAuxiliary,
)
from elftools.elf.sections import Symbol, SymbolTableSection

from pipeline.model import VersionedSymbol

# The high bit of a symbol's version index only says that no other library may bind to it.
_INDEX = 0x7FFF
# Bytes of each entry of the versions that are needed, and of each file that they are needed of.
_ENTRY = 16
_SEEN = ("STV_DEFAULT", "STV_PROTECTED")
_GIVEN = ("STB_GLOBAL", "STB_WEAK", "STB_LOOS")

# A table of relative relocations in the packed form. Linkers should demand this version of the C
# library for it; one that does not makes a library that older loaders take, and then crash on.
_PACKED = ("SHT_RELR", "GLIBC_ABI_DT_RELR")


def needed(elf: ELFFile) -> tuple[VersionedSymbol, ...]:
    """The symbols that others must define, and the versions demanded without a symbol.

    A weak symbol without a version is left out: the loader does without it.
    """
    versions = _versions(elf)
    found = []
    for symbol, index in zip(_table(elf).iter_symbols(), _indexes(elf), strict=True):
        version, file = versions.get(index, ("", ""))
        if symbol.name and _is_import(symbol) and (version or not _is_weak(symbol)):
            found.append(VersionedSymbol(symbol.name, version, file))
    used = {(symbol.version, symbol.file) for symbol in found}
    bare = [entry for entry in (*versions.values(), *_packed(elf)) if entry not in used]
    return (*found, *(VersionedSymbol("", version, file) for version, file in bare))


def exports(elf: ELFFile) -> frozenset[str]:
    """The names of the symbols that others may bind to."""
    return frozenset(
        symbol.name
        for symbol in _table(elf).iter_symbols()
        if not _is_import(symbol)
        and symbol["st_info"]["bind"] in _GIVEN
        and symbol["st_other"]["visibility"] in _SEEN
    )


def relocation_names(elf: ELFFile) -> Mapping[int, str]:
    """The name of each kind of relocation that the machine has, by its number."""
    tables = {"EM_X86_64": ENUM_RELOC_TYPE_x64, "EM_AARCH64": ENUM_RELOC_TYPE_AARCH64}
    names = tables.get(elf["e_machine"], {})
    return {number: name for name, number in names.items() if isinstance(number, int)}


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
    """Version and file by index, for what is needed of other libraries."""
    return {
        entry["vna_other"] & _INDEX: (entry.name, file.name or "")
        for section in elf.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for file, entry in _needs(section, elf.stream_len)
    }


def _needs(section: GNUVerNeedSection, most: int) -> Iterator[tuple[Version, VersionAuxiliary]]:
    """Each version that is needed, with the file that has it.

    An entry that names itself as the next one would be read as often as the section likes.
    """
    left = min(section["sh_size"], most) // _ENTRY
    for file, entries in section.iter_versions():
        for entry in entries:
            yield file, entry
            left -= 1
        left -= 1
        if left < 0:
            raise ELFError("more versions than there is room for")


def _packed(elf: ELFFile) -> Iterator[tuple[str, str]]:
    kind, version = _PACKED
    demanded = {name for name, _ in _versions(elf).values()}
    if version not in demanded and any(elf.iter_sections(kind)):
        yield version, f"a {kind} section"


def _is_import(symbol: Symbol) -> bool:
    return bool(symbol["st_shndx"] == "SHN_UNDEF")


def _is_weak(symbol: Symbol) -> bool:
    return bool(symbol["st_info"]["bind"] == "STB_WEAK")
