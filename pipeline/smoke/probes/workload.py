"""Uses the preloaded mimalloc in a Python interpreter: many threads, many objects, big blocks.

Run:  PYTHONMALLOC=malloc LD_PRELOAD=/path/to/libmimalloc.so.2 python3 workload.py
Out:  as threads.c: result (the same on every allocator), blocks, mi_version, maps
Exit: 0 all right, 1 something was wrong, 2 the process does not run on mimalloc

The host's Python runs it, as old as that of EL8 (3.6): hence the quotes in signatures.
"""

import ctypes
import hashlib
import json
import re
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 6
ROUNDS = 12
BIG = 24 << 20


def work(number: int) -> str:
    """Make objects of all sizes, most of them garbage soon; the answer is a digest of them."""
    digest = hashlib.sha256()
    recent: list[list[bytes]] = []
    for turn in range(ROUNDS):
        table = {f"{number}-{turn}-{n}": [n] * (n % 97) for n in range(1500)}
        text = json.dumps(table, sort_keys=True).encode()
        if zlib.decompress(zlib.compress(text, 6)) != text:
            raise SystemExit(1)
        recent = [*recent[-2:], sorted(text[:4000].split(b","), key=len)]
        digest.update(text)
        digest.update(repr(recent).encode())
    return digest.hexdigest()


def result() -> str:
    """A digest of what all threads did and of one big object."""
    with ThreadPoolExecutor(THREADS) as pool:
        digests = list(pool.map(work, range(THREADS)))
    big = bytearray(BIG)
    big[::4096] = b"\x5a" * (BIG // 4096)
    big *= 2
    digest = hashlib.sha256("".join(digests).encode())
    digest.update(big)
    return digest.hexdigest()


def blocks_in_heap() -> "tuple[int, int, int]":
    """How many blocks are in mimalloc's heap, of how many, and mimalloc's version."""
    process, size, pointer = ctypes.CDLL(None), ctypes.c_size_t, ctypes.c_void_p
    for name in ("malloc", "calloc", "realloc"):
        getattr(process, name).restype = pointer
    blocks = []
    for length in [2**power + less for power in range(4, 25) for less in (-1, 0, 1)]:
        aligned, old = pointer(), pointer(process.malloc(size(length)))
        process.posix_memalign(ctypes.byref(aligned), size(64), size(length))
        blocks += [aligned.value, process.realloc(old, size(2 * length))]
        blocks += [process.malloc(size(length)), process.calloc(size(1), size(length))]
    # The interpreter's own: an object, and the buffers of others.
    text, buffers = str(blocks), [bytearray(100), bytearray(1 << 20)]
    own = [id(text), *(ctypes.addressof(ctypes.c_char.from_buffer(b)) for b in buffers)]
    inside, version = 0, 0
    if hasattr(process, "mi_is_in_heap_region"):
        process.mi_is_in_heap_region.restype = ctypes.c_bool
        inside = sum(process.mi_is_in_heap_region(pointer(block)) for block in blocks + own)
        version = process.mi_version()
    for block in blocks:
        process.free(pointer(block))
    return inside, len(blocks) + len(own), version


if __name__ == "__main__":
    sys.stdout.write(f"result {result()}\n")
    inside, count, version = blocks_in_heap()
    sys.stdout.write(f"blocks {inside} of {count}\nmi_version {version}\n")
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    sys.stdout.writelines(f"maps {path}\n" for path in re.findall(r" r-xp .*?(/.*)", maps))
    sys.exit(2 if inside == 0 else int(inside != count))
