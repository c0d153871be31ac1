"""The facts of a shared library, read from its ELF file."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.descriptions import describe_reloc_type
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.segments import NoteSegment

from pipeline.inspect import instructions, symbols
from pipeline.inspect.symbols import MALFORMED, sections
from pipeline.model import Library
from pipeline.model.errors import CheckError

# Bit of DT_FLAGS: thread-local storage must be in the block that exists when the program starts.
_STATIC_TLS = 1 << 4
# Relocations and the function by which a library asks the loader for thread-local storage.
_DYNAMIC_TLS = ("TLSDESC", "DTPMOD")
_FIND_TLS = "__tls_get_addr"

# Sections that only a debugger reads.
_LEFTOVERS = (".symtab", ".debug", ".zdebug", ".gnu_debug", ".gdb_index")

_EXECUTE, _WRITE = 1 << 0, 1 << 1

# Bits of dynamic tags (the ELF gABI, and the GNU extension DT_FLAGS_1).
_TEXTREL, _BIND_NOW, _NOW = 1 << 2, 1 << 3, 1 << 0

# Bits of the GNU properties: indirect branch tracking and shadow stack; BTI and PAC.
_BOTH = 0b11

# The checked functions that _FORTIFY_SOURCE replaces calls with; not those of the stack protector.
_FORTIFIED = re.compile(r"__(?!stack_)\w+_(chk|2)")


def read(file: Path) -> Library:
    """The facts of a shared library. Raises CheckError if the file is none."""
    with file.open("rb") as content:
        try:
            return _read(ELFFile(content))
        except MALFORMED as problem:
            raise CheckError(
                f"{file.name} is not a shared library that can be read",
                expected="an ELF file with a dynamic section",
                got=str(problem) or type(problem).__name__,
                file=file,
            ) from problem


def _read(elf: ELFFile) -> Library:
    dynamic = next(sections(elf, DynamicSection), None)
    if dynamic is None:
        raise ELFError("no dynamic section")
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags()}
    needed, exports = symbols.needed(elf), symbols.exports(elf)
    imports = {symbol.name for symbol in needed}
    tls = sum(segment["p_memsz"] for segment in elf.iter_segments("PT_TLS"))
    names = [section.name for section in elf.iter_sections()]
    return Library(
        machine=str(elf["e_machine"]).removeprefix("EM_").lower(),
        soname="".join(_strings(dynamic, "soname")),
        needed=_strings(dynamic, "needed"),
        rpath=":".join([*_strings(dynamic, "rpath"), *_strings(dynamic, "runpath")]),
        build_id=str(next(_notes(elf, "NT_GNU_BUILD_ID"), "")),
        symbols=needed,
        exports=exports,
        hardening=_hardening(elf, tags, imports),
        tls=tls,
        static_tls=not tls or _is_static(elf, tags, imports),
        load_alignment=min((part["p_align"] for part in elf.iter_segments("PT_LOAD")), default=0),
        leftovers=tuple(name for name in names if name.startswith(_LEFTOVERS)),
        instructions=instructions.count(elf),
    )


def _strings(dynamic: DynamicSection, kind: str) -> tuple[str, ...]:
    """The values of a dynamic tag that holds text, such as ``needed``."""
    return tuple(getattr(tag, kind) for tag in dynamic.iter_tags(f"DT_{kind.upper()}"))


def _is_static(elf: ELFFile, tags: dict[str, int], imports: set[str]) -> bool:
    """Whether all thread-local storage has a fixed distance from the thread pointer."""
    if not tags.get("DT_FLAGS", 0) & _STATIC_TLS or _FIND_TLS in imports:
        return False
    kinds = (
        describe_reloc_type(relocation["r_info_type"], elf)
        for section in sections(elf, RelocationSection)
        for relocation in section.iter_relocations()
    )
    return not any(name in kind for kind in kinds for name in _DYNAMIC_TLS)


def _hardening(elf: ELFFile, tags: Mapping[str, int], imports: Collection[str]) -> frozenset[str]:
    """The hardening traits of a library, in the words of the build roots.

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
        "cet": _features(elf, "X86_FEATURE_1_AND") & _BOTH == _BOTH,
        "branch-protection": _features(elf, "AARCH64_FEATURE_1_AND") & _BOTH == _BOTH,
    }
    return frozenset(trait for trait, is_present in present.items() if is_present)


def _features(elf: ELFFile, kind: str) -> int:
    """The bits of a GNU property, such as ``X86_FEATURE_1_AND``; 0 if there is none."""
    bits = 0
    for properties in _notes(elf, "NT_GNU_PROPERTY_TYPE_0"):
        for entry in properties:
            if entry["pr_type"] == f"GNU_PROPERTY_{kind}":
                bits |= entry["pr_data"]
    return bits


def _notes(elf: ELFFile, kind: str) -> Iterator[Any]:
    for segment in elf.iter_segments("PT_NOTE"):
        if isinstance(segment, NoteSegment):
            yield from (note["n_desc"] for note in segment.iter_notes() if note["n_type"] == kind)
