"""Works the preloaded mimalloc from a Python interpreter: many threads, many objects, big blocks.

Run:  PYTHONMALLOC=malloc LD_PRELOAD=/path/to/libmimalloc.so.2 python3 workload.py
Out:  as threads.c: result (the same on every allocator), blocks, mi_version, maps
Exit: 0 all right, 1 something was wrong, 2 the process does not run on mimalloc

Whatever Python the host has runs it, down to that of EL8 (3.6): hence the quotes in signatures.
"""

import ctypes
import hashlib
import json
import re
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

THREADS = 6
ROUNDS = 12
BIG = 24 << 20


def work(number: int, results: "dict[int, str]") -> None:
    """Objects of all sizes, most of them soon garbage; what is left of them is their digest."""
    sums = hashlib.sha256()
    kept: list[Any] = []
    for turn in range(ROUNDS):
        table = {f"{number}-{turn}-{n}": [n] * (n % 97) for n in range(1500)}
        text = json.dumps(table, sort_keys=True).encode()
        packed = zlib.compress(text, 6)
        if zlib.decompress(packed) != text:
            raise SystemExit(1)
        kept.append(sorted(text[:4000].split(b","), key=len))
        kept = kept[-3:]
        sums.update(text)
        sums.update(repr(kept).encode())
    results[number] = sums.hexdigest()


def digest() -> str:
    """What all threads and one big object come to."""
    results: dict[int, str] = {}
    threads = [threading.Thread(target=work, args=(n, results)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    big = bytearray(BIG)
    big[::4096] = b"\x5a" * (BIG // 4096)
    big *= 2
    parts = [results.get(n, "missing") for n in range(THREADS)]
    sums = hashlib.sha256("".join(parts).encode())
    sums.update(big)
    return sums.hexdigest()


def heap() -> "tuple[int, int, int]":
    """How many blocks are mimalloc's, how many were asked for, and its version."""
    process = ctypes.CDLL(None)
    for name, kinds in (
        ("malloc", [ctypes.c_size_t]),
        ("calloc", [ctypes.c_size_t] * 2),
        ("realloc", [ctypes.c_void_p, ctypes.c_size_t]),
    ):
        getattr(process, name).restype = ctypes.c_void_p
        getattr(process, name).argtypes = kinds
    process.free.argtypes = [ctypes.c_void_p]
    blocks = []
    for size in [2**power + less for power in range(4, 25) for less in (-1, 0, 1)]:
        aligned = ctypes.c_void_p()
        process.posix_memalign(ctypes.byref(aligned), ctypes.c_size_t(64), ctypes.c_size_t(size))
        grown = process.realloc(process.malloc(size), 2 * size)
        blocks += [process.malloc(size), process.calloc(1, size), grown, aligned.value]
    # The interpreter's own: an object, and the buffer of another.
    objects = [str(blocks), bytearray(100), bytearray(1 << 20)]
    own = [id(objects[0]), *(address(each) for each in objects[1:])]
    inside = process.mi_is_in_heap_region if hasattr(process, "mi_is_in_heap_region") else None
    if inside is not None:
        inside.restype = ctypes.c_bool
        inside.argtypes = [ctypes.c_void_p]
    found = sum(1 for block in blocks + own if inside is not None and inside(block))
    for block in blocks:
        process.free(block)
    version = process.mi_version() if hasattr(process, "mi_version") else 0
    return found, len(blocks) + len(own), version


def address(buffer: Any) -> int:
    """Where a buffer is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def main() -> int:
    """Work, then tell."""
    result = digest()
    found, count, version = heap()
    lines = [f"result {result}", f"blocks {found} of {count}", f"mi_version {version}"]
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    lines += [f"maps {path}" for path in re.findall(r" r-xp .*?(/.*)", maps)]
    sys.stdout.write("\n".join(lines) + "\n")
    if found == 0:
        return 2
    return int(found != count)


if __name__ == "__main__":
    sys.exit(main())
