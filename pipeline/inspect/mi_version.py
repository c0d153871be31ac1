"""The version of a mimalloc library, read from the code of ``mi_version()`` without running it."""

from pathlib import Path

from elftools.elf.elffile import ELFFile

from pipeline.inspect.symbols import MALFORMED, table

_SYMBOL = "mi_version"

# The function loads a number and returns; an instruction for branch protection may come before.
_INSTRUCTIONS = 4


def mi_version(file: Path) -> int:
    """The number, such as 30403; 0 if the file is not a mimalloc library or cannot be read."""
    try:
        with file.open("rb") as handle:
            elf = ELFFile(handle)
            code = _code(elf)
            return _loaded(elf.get_machine_arch(), code) if code else 0
    except MALFORMED:
        return 0


def _code(elf: ELFFile) -> bytes:
    for symbol in table(elf).get_symbol_by_name(_SYMBOL) or ():
        start, size = symbol["st_value"], symbol["st_size"]
        for offset in elf.address_offsets(start, size or 1):
            elf.stream.seek(offset)
            return bytes(elf.stream.read(size or 16))
    return b""


def _loaded(machine: str, code: bytes) -> int:
    """The number that the first instructions load into the register of the return value."""
    # It takes time to load, and most files are not a mimalloc library.
    from pipeline.inspect.instructions import disassembler

    value = 0
    instructions = list(disassembler(machine).disasm_lite(code, 0))
    for _, _, mnemonic, operands in instructions[:_INSTRUCTIONS]:
        register, _, number = operands.partition(", ")
        if mnemonic in ("mov", "movz") and register in ("eax", "w0"):
            value = int(number.lstrip("#"), 0)
        elif mnemonic == "movk" and register == "w0":
            number, _, shift = number.partition(", lsl #")
            value |= int(number.lstrip("#"), 0) << int(shift or 0)
    return value
