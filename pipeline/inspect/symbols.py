"""The dynamic symbols of a shared library: its imports with their versions, and its exports."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TypeVar

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import Section, Symbol, SymbolTableSection

from pipeline.model import VersionedSymbol

Kind = TypeVar("Kind", bound=Section)

# What pyelftools and capstone raise for a malformed ELF file.
MALFORMED = (
    *(ELFError, ConstructError, struct.error, zlib.error),
    *(LookupError, ValueError, ArithmeticError, AttributeError, TypeError, AssertionError),
    OSError,  # an offset beyond the largest file
    MemoryError,  # a size beyond the memory
)

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


def sections(elf: ELFFile, kind: type[Kind]) -> Iterator[Kind]:
    """The sections of a kind, such as those of relocations."""
    yield from (section for section in elf.iter_sections() if isinstance(section, kind))


def table(elf: ELFFile) -> SymbolTableSection:
    """The table of dynamic symbols. Raises ELFError where there is none."""
    for section in sections(elf, SymbolTableSection):
        if section["sh_type"] == "SHT_DYNSYM":
            return section
    raise ELFError("no dynamic symbols")


def needed(elf: ELFFile) -> tuple[VersionedSymbol, ...]:
    """The symbols that other libraries must define, and the versions required without a symbol.

    A weak symbol without a version is left out: it may be undefined.
    """
    versions = _versions(elf)
    imports = []
    for symbol, index in zip(table(elf).iter_symbols(), _indexes(elf), strict=True):
        version, file = versions.get(index, ("", ""))
        is_weak = symbol["st_info"]["bind"] == "STB_WEAK"
        if symbol.name and _is_import(symbol) and (version or not is_weak):
            imports.append(VersionedSymbol(symbol.name, version, file))
    used = {(symbol.version, symbol.file) for symbol in imports}
    required, (kind, packed) = list(versions.values()), _PACKED
    if packed not in dict(required) and any(elf.iter_sections(kind)):
        required.append((packed, f"a {kind} section"))
    bare = [entry for entry in required if entry not in used]
    return (*imports, *(VersionedSymbol("", version, file) for version, file in bare))


def exports(elf: ELFFile) -> frozenset[str]:
    """The names of the symbols that other libraries can bind to."""
    return frozenset(
        symbol.name
        for symbol in table(elf).iter_symbols()
        if not _is_import(symbol)
        and symbol["st_info"]["bind"] in _BOUND
        and symbol["st_other"]["visibility"] in _VISIBLE
    )


def _indexes(elf: ELFFile) -> list[int]:
    """The version index of each dynamic symbol, in the order of the table."""
    for section in sections(elf, GNUVerSymSection):
        order = "<" if elf.little_endian else ">"
        indexes = struct.iter_unpack(f"{order}H", section.data())
        return [index & _INDEX for (index,) in indexes]
    return [0] * table(elf).num_symbols()


def _versions(elf: ELFFile) -> Mapping[int, tuple[str, str]]:
    """The versions that are required of other libraries: index to version and file."""
    parts = list(sections(elf, GNUVerNeedSection))
    # The next entry is named by its offset, so a malformed table may have no end.
    if any(part.num_versions() * _ENTRY > elf.stream_len for part in parts):
        raise ELFError("more versions than fit into the file")
    return {
        entry["vna_other"] & _INDEX: (entry.name, file.name or "")
        for part in parts
        for file, entries in part.iter_versions()
        for entry in entries
    }


def _is_import(symbol: Symbol) -> bool:
    return bool(symbol["st_shndx"] == "SHN_UNDEF")
