"""What pyelftools and capstone raise for a malformed ELF file."""

import struct
import zlib

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError

MALFORMED = (
    *(ELFError, ConstructError, struct.error, zlib.error),
    *(LookupError, ValueError, ArithmeticError, AttributeError, TypeError, AssertionError),
    OSError,  # an offset beyond the largest file
    MemoryError,  # a size beyond the memory
)
