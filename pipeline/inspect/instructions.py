"""The instructions of an ELF file, counted by the processor feature that each belongs to."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache

import capstone
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

# Groups of our own: bytes that capstone cannot decode, and instructions with the encoding of
# AVX-512.
UNDECODED = "undecoded"
EVEX = "evex"

# Groups that say what an instruction does, such as jump or call. The feature groups follow them.
_PURPOSES = range(capstone.CS_GRP_JUMP, capstone.CS_GRP_BRANCH_RELATIVE + 1)

# An x86 instruction that begins with this byte is one of AVX-512, also in the forms of FMA and
# others that capstone puts in no group, or in an older one.
_EVEX_PREFIX = 0x62

_MACHINES = {
    "x64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "AArch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
}


def disassembler(machine: str) -> capstone.Cs:
    """A disassembler for a machine in the words of pyelftools. Raises KeyError for others."""
    return capstone.Cs(*_MACHINES[machine])


def count(elf: ELFFile) -> Mapping[str, Mapping[str, int]]:
    """The number of each instruction: feature group to mnemonic with its prefix to count.

    An instruction of several groups counts in each, and one of none under ``""``. Raises KeyError
    for a machine that we build nothing for.
    """
    reader = disassembler(elf.get_machine_arch())
    reader.detail = reader.skipdata = True
    is_x86, name = reader.arch == capstone.CS_ARCH_X86, cache(reader.group_name)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for section in elf.iter_sections("SHT_PROGBITS"):
        if not section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
            continue
        for instruction in reader.disasm(section.data(), section["sh_addr"]):
            if instruction.id == 0:
                counts[UNDECODED][instruction.mnemonic] += 1
                continue
            groups = [name(group) for group in instruction.groups if group not in _PURPOSES]
            for group in groups or [""]:
                counts[group][instruction.mnemonic] += 1
            if is_x86 and instruction.bytes[0] == _EVEX_PREFIX:
                counts[EVEX][instruction.mnemonic] += 1
    return {group: dict(mnemonics) for group, mnemonics in counts.items()}
