"""The traits of a shared library that make an attack harder, in the words of the build roots."""

import re
from collections.abc import Collection, Mapping

from elftools.elf.elffile import ELFFile

from pipeline.inspect import notes

_EXECUTE, _WRITE = 1 << 0, 1 << 1

# Bits of dynamic tags (the ELF gABI, and the GNU extension DT_FLAGS_1).
_TEXTREL, _BIND_NOW, _NOW = 1 << 2, 1 << 3, 1 << 0

# Bits of the GNU properties: indirect branch tracking and shadow stack; BTI and PAC.
_BOTH = 0b11

# What the C library's headers turn calls into under _FORTIFY_SOURCE; not the protector's own.
_FORTIFIED = re.compile(r"__(?!stack_)\w+_(chk|2)")


def traits(elf: ELFFile, tags: Mapping[str, int], wanted: Collection[str]) -> frozenset[str]:
    """The traits found. ``tags`` are the dynamic tags, ``wanted`` the names of symbols needed.

    What leaves no trace in the file, such as the probes against stack clashes, is not among them.
    ``fortify`` shows only where a call was left to be checked at run time: a library in which the
    compiler has proved all of them safe does not have it.
    """
    flags, flags_1 = tags.get("DT_FLAGS", 0), tags.get("DT_FLAGS_1", 0)
    stacks = [part["p_flags"] for part in elf.iter_segments("PT_GNU_STACK")]
    loads = [part["p_flags"] for part in elf.iter_segments("PT_LOAD")]
    both = _WRITE | _EXECUTE
    found = {
        "relro": any(part["p_memsz"] for part in elf.iter_segments("PT_GNU_RELRO")),
        "bind-now": "DT_BIND_NOW" in tags or bool(flags & _BIND_NOW or flags_1 & _NOW),
        "stack-not-executable": bool(stacks) and not any(bits & _EXECUTE for bits in stacks),
        "code-not-writable": not any(bits & both == both for bits in loads),
        "no-text-relocations": not ("DT_TEXTREL" in tags or flags & _TEXTREL),
        "stack-protector": "__stack_chk_fail" in wanted,
        "fortify": any(_FORTIFIED.fullmatch(name) for name in wanted),
        "cet": notes.features(elf, "X86_FEATURE_1_AND") & _BOTH == _BOTH,
        "branch-protection": notes.features(elf, "AARCH64_FEATURE_1_AND") & _BOTH == _BOTH,
    }
    return frozenset(trait for trait, there in found.items() if there)
