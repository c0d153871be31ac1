"""What a process takes at its start on a library: the memory that is reserved, and that is used."""

import re
from pathlib import Path

from pipeline.model.errors import SmokeError
from pipeline.system import process

# It prints what the kernel says of it, and which files it has loaded.
_PROGRAM = ("cat", "/proc/self/status", "/proc/self/maps")


def of(library: Path) -> tuple[int, int]:
    """VSZ and RSS of a small process of this host on a library, in KiB. Raises SmokeError."""
    code, output, complaint = process.attempt(_PROGRAM, env={"LD_PRELOAD": str(library)})
    sizes = [
        re.search(rf"^{name}:\s+(\d+) kB$", output, re.MULTILINE) for name in ("VmSize", "VmRSS")
    ]
    if code or str(library) not in output or not all(sizes):
        raise SmokeError(
            f"{_PROGRAM[0]} does not run on {library.name}", detail=complaint, file=library
        )
    size, resident = (int(found[1]) for found in sizes if found)
    return size, resident
