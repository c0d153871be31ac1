"""What debug information and the library that it describes have in common, and what it names."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from posixpath import join, normpath

from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from pipeline.inspect.symbols import MALFORMED, sections
from pipeline.model import Image
from pipeline.model.errors import CheckError

_ALLOCATED = 1 << 1  # SHF_ALLOC
_PLACE = ("p_flags", "p_vaddr", "p_filesz", "p_memsz", "p_align")

# In this version of DWARF the lists of folders and files begin with those of the compile unit.
_COUNTS_FROM_ZERO = 5


def read(file: Path) -> Image:
    """The image of a shared library. Raises CheckError if the file is none."""
    with file.open("rb") as content:
        try:
            elf = ELFFile(content)
            own = {section.name: section for section in elf.iter_sections() if section.name}
            loaded = {name: part for name, part in own.items() if part["sh_flags"] & _ALLOCATED}
            memory = {
                f"segment {number}, {part['p_type']}": " ".join(hex(part[key]) for key in _PLACE)
                for number, part in enumerate(elf.iter_segments())
            }
            for name, part in loaded.items():
                place = f"{part['sh_size']} bytes at {part['sh_addr']:#x}"
                memory[name] = f"{place}, sha256 {sha256(part.data()).hexdigest()}"
            dwarf = elf.get_dwarf_info() if elf.has_dwarf_info() else None
            return Image(
                build_id=next(_build_ids(elf), ""),
                memory=memory,
                tables=frozenset(own.keys() - loaded.keys()),
                sources=frozenset(_sources(dwarf) if dwarf else ()),
            )
        except MALFORMED as problem:
            raise CheckError(
                f"{file.name} is not a shared library that can be read",
                got=str(problem) or type(problem).__name__,
                file=file,
            ) from problem


def _build_ids(elf: ELFFile) -> Iterator[str]:
    for section in sections(elf, NoteSection):
        yield from (
            str(note["n_desc"])
            for note in section.iter_notes()
            if note["n_type"] == "NT_GNU_BUILD_ID"
        )


def _sources(dwarf: DWARFInfo) -> Iterator[str]:
    """The paths in the tables of lines; relative ones are below the compile unit's folder."""
    for unit in dwarf.iter_CUs():
        lines = dwarf.line_program_for_CU(unit)
        if lines is None:
            continue
        home = _home(unit)
        folders = [folder.decode() for folder in lines["include_directory"]]
        if lines["version"] < _COUNTS_FROM_ZERO:
            folders.insert(0, home)
        for entry in lines["file_entry"]:
            yield normpath(join(home, folders[entry.dir_index], entry.name.decode()))


def _home(unit: CompileUnit) -> str:
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    return attribute.value.decode() if attribute else ""
