"""`debuginfo`: what is in memory of small libraries, and the sources that an ELF file names."""

import shutil
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pipeline.inspect import debuginfo
from pipeline.model.errors import CheckError


def test_a_library_without_debug_information(fixtures: Path) -> None:
    """What is in memory has its place and its content; other sections only a name."""
    image = debuginfo.read(fixtures / "good.so")

    assert "0123456789abcdef0123456789abcdef01234567" == image.build_id
    assert {".comment", ".shstrtab"} == image.tables
    assert frozenset() == image.sources
    assert {".text", ".dynsym", ".eh_frame"} <= image.memory.keys()
    assert any(name.endswith("PT_LOAD") for name in image.memory)


def test_another_byte_in_memory_is_seen(fixtures: Path, tmp_path: Path) -> None:
    """In the section that has it, and in no other."""
    copy = tmp_path / "copy.so"
    shutil.copyfile(fixtures / "good.so", copy)
    with copy.open("r+b") as file:
        section = ELFFile(file).get_section_by_name(".text")
        assert section is not None
        other = bytes([section.data()[0] ^ 1])
        file.seek(section["sh_offset"])
        file.write(other)
    first, second = (debuginfo.read(file).memory for file in (fixtures / "good.so", copy))

    assert [".text"] == [name for name in first if first[name] != second[name]]


@pytest.mark.parametrize("version", ["4", "5"])
def test_sources_are_whole_paths(fixtures: Path, version: str) -> None:
    """Of the unit, and of what it includes from beside it, in both versions of DWARF."""
    sources = debuginfo.read(fixtures / f"lines-{version}.o").sources

    assert {"/src/unit.c", "/src/inner/part.h"} == sources


def test_what_is_no_elf_file_is_refused(tmp_path: Path) -> None:
    """With its name."""
    file = tmp_path / "text.so"
    file.write_text("text")

    with pytest.raises(CheckError, match=r"text\.so is not a shared library"):
        debuginfo.read(file)
