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


def work(number: int) -> str:
    """Make objects of all sizes, most of them garbage soon; the answer is a digest of them."""
    digest = hashlib.sha256()
    recent: list[list[bytes]] = []
    for turn in range(12):
        table = {f"{number}-{turn}-{n}": [n] * (n % 97) for n in range(1500)}
        text = json.dumps(table, sort_keys=True).encode()
        recent = [*recent[-2:], sorted(text[:4000].split(b","), key=len)]
        digest.update(zlib.decompress(zlib.compress(text)))
        digest.update(repr(recent).encode())
    return digest.hexdigest()


def result() -> str:
    """A digest of what all threads did and of one big object."""
    with ThreadPoolExecutor(6) as pool:
        digest = hashlib.sha256("".join(pool.map(work, range(6))).encode())
    big = bytearray(24 << 20)
    big[::4096] = b"\x5a" * (len(big) // 4096)
    big *= 2
    digest.update(big)
    return digest.hexdigest()


def blocks_in_heap() -> "tuple[int, int, int]":
    """How many blocks are in mimalloc's heap, of how many, and mimalloc's version."""
    process, size_t, pointer = ctypes.CDLL(None), ctypes.c_size_t, ctypes.c_void_p
    process.malloc.restype = process.calloc.restype = process.realloc.restype = pointer
    objects, blocks = [], []
    for length in [2**power + less for power in range(4, 25) for less in (-1, 0, 1)]:
        objects.append(bytes(length))
        aligned, size = pointer(), size_t(length)
        process.posix_memalign(ctypes.byref(aligned), size_t(64), size)
        blocks += [aligned.value, process.malloc(size), process.calloc(size_t(1), size)]
        blocks.append(process.realloc(pointer(process.malloc(size)), size_t(2 * length)))
    inside, version, addresses = 0, 0, [*blocks, *map(id, objects)]
    if hasattr(process, "mi_is_in_heap_region"):
        process.mi_is_in_heap_region.restype = ctypes.c_bool
        inside = sum(process.mi_is_in_heap_region(pointer(address)) for address in addresses)
        version = process.mi_version()
    for block in blocks:
        process.free(pointer(block))
    return inside, len(addresses), version


if __name__ == "__main__":
    sys.stdout.write(f"result {result()}\n")
    inside, count, version = blocks_in_heap()
    sys.stdout.write(f"blocks {inside} of {count}\nmi_version {version}\n")
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    sys.stdout.writelines(f"maps {path}\n" for path in re.findall(r" r-xp .*?(/.*)", maps))
    sys.exit(2 if inside == 0 else int(inside != count))
