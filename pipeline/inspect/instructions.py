"""The instructions of an ELF file, counted by the processor feature that each belongs to."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import capstone
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

# What the disassembler cannot read: an instruction newer than it knows, or no code at all.
UNDECODED = "undecoded"

# What is encoded as AVX-512 is.
EVEX = "evex"

# Groups that say what an instruction is for, not which processors have it: jump, call, ret, int,
# iret, privilege, branch_relative. The feature groups follow them.
_PURPOSES = range(capstone.CS_GRP_JUMP, capstone.CS_GRP_BRANCH_RELATIVE + 1)
_NONE, _UNDECODED, _EVEX = 0, -1, -2

# Where an x86 instruction begins with this byte, it is one of AVX-512, whatever its name: also in
# the forms of FMA and others that the disassembler puts in no group, or in an older one.
_EVEX_PREFIX = 0x62

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
    is_x86 = disassembler.arch == capstone.CS_ARCH_X86
    seen: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for code, address in _code(elf):
        for instruction in disassembler.disasm(code, address):
            for group in _groups(instruction, is_x86):
                seen[group][instruction.mnemonic] += 1
    names = {group: _name(disassembler, group) for group in seen}
    return {names[group]: dict(counts) for group, counts in seen.items()}


def _code(elf: ELFFile) -> Iterator[tuple[bytes, int]]:
    """The content and the address of each executable section."""
    for section in elf.iter_sections("SHT_PROGBITS"):
        if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
            yield section.data(), section["sh_addr"]


def _groups(instruction: capstone.CsInsn, is_x86: bool) -> list[int]:
    if instruction.id == 0:
        return [_UNDECODED]
    groups = [group for group in instruction.groups if group not in _PURPOSES] or [_NONE]
    return [*groups, _EVEX] if is_x86 and instruction.bytes[0] == _EVEX_PREFIX else groups


def _name(disassembler: capstone.Cs, group: int) -> str:
    ours = {_NONE: "", _UNDECODED: UNDECODED, _EVEX: EVEX}
    if group in ours:
        return ours[group]
    return str(disassembler.group_name(group))
