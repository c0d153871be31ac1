"""The hardening traits of a shared library, named as in the build roots."""

import re
from collections.abc import Collection, Mapping

from elftools.elf.elffile import ELFFile

from pipeline.inspect import notes

_EXECUTE, _WRITE = 1 << 0, 1 << 1

# Bits of dynamic tags (the ELF gABI, and the GNU extension DT_FLAGS_1).
_TEXTREL, _BIND_NOW, _NOW = 1 << 2, 1 << 3, 1 << 0

# Bits of the GNU properties: indirect branch tracking and shadow stack; BTI and PAC.
_BOTH = 0b11

# The checked functions that _FORTIFY_SOURCE replaces calls with; not those of the stack protector.
_FORTIFIED = re.compile(r"__(?!stack_)\w+_(chk|2)")


def traits(elf: ELFFile, tags: Mapping[str, int], imports: Collection[str]) -> frozenset[str]:
    """The traits of a library, from its dynamic tags and the names of the symbols it imports.

    A trait that cannot be seen in the file, such as probes against stack clashes, is not among
    them. ``fortify`` is seen only if a call is left to be checked at run time, which is not so in
    a library where the compiler shows that all calls are safe.
    """
    flags, flags_1 = tags.get("DT_FLAGS", 0), tags.get("DT_FLAGS_1", 0)
    stacks = [segment["p_flags"] for segment in elf.iter_segments("PT_GNU_STACK")]
    loads = [segment["p_flags"] for segment in elf.iter_segments("PT_LOAD")]
    both = _WRITE | _EXECUTE
    present = {
        "relro": any(segment["p_memsz"] for segment in elf.iter_segments("PT_GNU_RELRO")),
        "bind-now": "DT_BIND_NOW" in tags or bool(flags & _BIND_NOW or flags_1 & _NOW),
        "stack-not-executable": bool(stacks) and not any(bits & _EXECUTE for bits in stacks),
        "code-not-writable": not any(bits & both == both for bits in loads),
        "no-text-relocations": not ("DT_TEXTREL" in tags or flags & _TEXTREL),
        "stack-protector": "__stack_chk_fail" in imports,
        "fortify": any(_FORTIFIED.fullmatch(name) for name in imports),
        "cet": notes.features(elf, "X86_FEATURE_1_AND") & _BOTH == _BOTH,
        "branch-protection": notes.features(elf, "AARCH64_FEATURE_1_AND") & _BOTH == _BOTH,
    }
    return frozenset(trait for trait, is_present in present.items() if is_present)
