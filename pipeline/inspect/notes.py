"""The notes in an ELF file: its build-id, and the processor features that all of it is made for."""

from collections.abc import Iterator
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment


def build_id(elf: ELFFile) -> str:
    """The build-id in hex; empty where there is none."""
    found = (note["n_desc"] for note in _notes(elf) if note["n_type"] == "NT_GNU_BUILD_ID")
    return str(next(found, ""))


def features(elf: ELFFile, kind: str) -> int:
    """The bits of a GNU property, such as ``X86_FEATURE_1_AND``; 0 where there is none."""
    bits = 0
    for note in _notes(elf):
        if note["n_type"] == "NT_GNU_PROPERTY_TYPE_0":
            for entry in note["n_desc"]:
                if entry["pr_type"] == f"GNU_PROPERTY_{kind}":
                    bits |= entry["pr_data"]
    return bits


def _notes(elf: ELFFile) -> Iterator[Any]:
    for segment in elf.iter_segments("PT_NOTE"):
        if isinstance(segment, NoteSegment):
            yield from segment.iter_notes()
