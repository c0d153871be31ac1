"""What readers of ELF files raise where one is broken: offsets, sizes and names that cannot be."""

import struct
import zlib

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError

BROKEN = (
    *(ELFError, ConstructError, struct.error, zlib.error),
    *(LookupError, ValueError, ArithmeticError, AttributeError, TypeError, AssertionError),
    OSError,  # a place to read from that no file can have
    MemoryError,  # a size to read that no machine can have
)
