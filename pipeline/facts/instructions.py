"""The instructions of an ELF file, counted by the processor feature that each belongs to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import capstone
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

# What the disassembler cannot read: an instruction newer than it knows, or no code at all.
UNDECODED = "undecoded"

# Groups that say what an instruction is for, not which processors have it: jump, call, ret, int,
# iret, privilege, branch_relative. The feature groups follow them.
_PURPOSES = range(capstone.CS_GRP_JUMP, capstone.CS_GRP_BRANCH_RELATIVE + 1)
_NONE, _UNDECODED = 0, -1

_MACHINES = {
    "EM_X86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "EM_AARCH64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
}


def count(elf: ELFFile) -> Mapping[str, Mapping[str, int]]:
    """How often each instruction occurs: group, then mnemonic with its prefix, then the number.

    An instruction of several groups counts in each, and one of none under ``""``. Raises KeyError
    for a machine that we build nothing for.
    """
    disassembler = capstone.Cs(*_MACHINES[elf["e_machine"]])
    disassembler.detail = True
    disassembler.skipdata = True
    seen: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for code, address in _code(elf):
        for instruction in disassembler.disasm(code, address):
            for group in _groups(instruction):
                seen[group][instruction.mnemonic] += 1
    names = {group: _name(disassembler, group) for group in seen}
    return {names[group]: dict(counts) for group, counts in seen.items()}


def _code(elf: ELFFile) -> Iterator[tuple[bytes, int]]:
    """The content and the address of each executable section."""
    for section in elf.iter_sections("SHT_PROGBITS"):
        if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
            yield section.data(), section["sh_addr"]


def _groups(instruction: capstone.CsInsn) -> list[int]:
    if instruction.id == 0:
        return [_UNDECODED]
    return [group for group in instruction.groups if group not in _PURPOSES] or [_NONE]


def _name(disassembler: capstone.Cs, group: int) -> str:
    if group in (_NONE, _UNDECODED):
        return UNDECODED if group == _UNDECODED else ""
    return str(disassembler.group_name(group))
