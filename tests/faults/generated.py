"""Generated data: a good file with a few of its values, keys or bytes changed."""

import random
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

# Texts with a meaning for some program that reads them later.
_WORDS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\n",
            "\0",
            "%",
            "%{nil}",
            "%(touch evil)",
            "{",
            "}",
            "{0}",
            "{version}",
            "{x!r}",
        ),
        *(
            "{name.__class__}",
            "../../evil",
            "/",
            "/etc/passwd",
            "-rf",
            "--version",
            "$(touch evil)",
        ),
        *("`x`", "'", '"', "]==]", ";", "\\", "\x1b[2J", "\ud7ff", "\U0010ffff", "el7", "1.0.0"),
        *("https://", "https://[", "sha256:", "libmimalloc.so.2", "a" * 5000, "0", "-1", "1e999"),
    ]
)
TEXTS = st.one_of(st.text(max_size=30), _WORDS)
_TIMES = st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59))),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=23, minutes=59))),
        datetime(1969, 1, 1, tzinfo=UTC),
        datetime(2022, 1, 1),
        date(1, 1, 1),
        date(2022, 1, 1),
    ]
)
VALUES = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.booleans(),
        _TIMES,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)

# The changes of a file: a random generator, and values to put into it.
CHANGES = st.tuples(st.randoms(use_true_random=False), st.lists(VALUES, min_size=1, max_size=3))


def changed(table: dict[str, Any], rng: random.Random, values: list[Any]) -> dict[str, Any]:
    """A copy with each of the values somewhere: in the place of another one, or under a new key."""
    copy = deepcopy(table)
    for value in values:
        node, key = rng.choice(list(_places(copy)))
        if rng.random() < 0.2:
            node.pop(key, None) if isinstance(node, dict) else node.clear()
        elif isinstance(node, list) and key == len(node):
            node.append(value)
        else:
            node[key] = value
    return copy


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a tree, as a node and a key in it; some keys are new."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, inner in pairs:
        yield node, key
        if isinstance(inner, dict | list):
            yield from _places(inner)
    yield node, "generated" if isinstance(node, dict) else len(node)


def corrupted(content: bytes, rng: random.Random, times: int) -> bytes:
    """A copy with bytes changed, left out, doubled, or cut off."""
    data = bytearray(content)
    for _ in range(times):
        at, width = rng.randrange(len(data) + 1), rng.choice([1, 1, 2, 4, 8, 64, 512])
        kind = rng.randrange(6)
        if kind == 0:
            data[at : at + width] = rng.randbytes(width)
        elif kind == 1:
            data[at : at + width] = rng.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * width
        elif kind == 2 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            del data[at : at + width]
        elif kind == 4:
            data[at:at] = data[at : at + width]
        elif rng.random() < 0.2:
            del data[at:]
    return bytes(data)
