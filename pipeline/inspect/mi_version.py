"""Which release a mimalloc library is of: the number that its ``mi_version()`` gives, not run."""

from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pipeline.inspect.malformed import BROKEN

_SYMBOL = "mi_version"

# It loads a number and returns; a landing pad for indirect calls may come before.
_INSTRUCTIONS = 4


def mi_version(file: Path) -> int:
    """The number, such as 30403; 0 where the file is no mimalloc, or cannot be read as one."""
    try:
        with file.open("rb") as handle:
            elf = ELFFile(handle)
            code = _code(elf)
            return _loaded(elf.get_machine_arch(), code) if code else 0
    except BROKEN:
        return 0


def _code(elf: ELFFile) -> bytes:
    table = elf.get_section_by_name(".dynsym")
    if not isinstance(table, SymbolTableSection):
        return b""
    for symbol in table.get_symbol_by_name(_SYMBOL) or ():
        start, size = symbol["st_value"], symbol["st_size"]
        for offset in elf.address_offsets(start, size or 1):
            elf.stream.seek(offset)
            return bytes(elf.stream.read(size or 16))
    return b""


def _loaded(machine: str, code: bytes) -> int:
    """The number that the first instructions load into the register of the answer."""
    import capstone

    modes = {
        "x64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
        "AArch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
    }
    if machine not in modes:
        return 0
    value = 0
    reader = capstone.Cs(*modes[machine])
    for _, _, name, words in list(reader.disasm_lite(code, 0))[:_INSTRUCTIONS]:
        register, _, number = words.partition(", ")
        if name in ("mov", "movz") and register in ("eax", "w0"):
            value = int(number.lstrip("#"), 0)
        elif name == "movk" and register == "w0":
            number, _, shift = number.partition(", lsl #")
            value |= int(number.lstrip("#"), 0) << int(shift or 0)
    return value
