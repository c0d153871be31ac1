"""A program of many objects: texts, tuples, lists, dictionaries and JSON; prints a checksum."""

from __future__ import annotations

import hashlib
import json
import sys


def work(size: int) -> str:
    """What ``size`` thousand objects come to."""
    state = 3
    table: dict[str, list[tuple[int, str, float]]] = {}
    for number in range(1000 * size):
        state = (state * 1103515245 + 12345) % 2**31
        key = f"{state % 5000:x}"
        table.setdefault(key, []).append((number, key * (state % 7), float(state)))
        if len(table[key]) > 20:
            del table[key]
    text = json.dumps(table, sort_keys=True)
    again = sorted((len(entries), key) for key, entries in json.loads(text).items())
    return hashlib.sha256(f"{text}{again}".encode()).hexdigest()


sys.stdout.write(f"{work(int(sys.argv[1]))}\n")
