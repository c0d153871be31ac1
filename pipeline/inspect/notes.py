"""The notes of an ELF file: its build-id, and the processor features that all of it supports."""

from collections.abc import Iterator
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment


def build_id(elf: ELFFile) -> str:
    """The build-id in hex; empty if there is none."""
    return str(next(_descriptions(elf, "NT_GNU_BUILD_ID"), ""))


def features(elf: ELFFile, kind: str) -> int:
    """The bits of a GNU property, such as ``X86_FEATURE_1_AND``; 0 if there is none."""
    bits = 0
    for properties in _descriptions(elf, "NT_GNU_PROPERTY_TYPE_0"):
        for entry in properties:
            if entry["pr_type"] == f"GNU_PROPERTY_{kind}":
                bits |= entry["pr_data"]
    return bits


def _descriptions(elf: ELFFile, kind: str) -> Iterator[Any]:
    for segment in elf.iter_segments("PT_NOTE"):
        if isinstance(segment, NoteSegment):
            yield from (note["n_desc"] for note in segment.iter_notes() if note["n_type"] == kind)
