"""A release of mimalloc that fits on a page: its tree, its tarballs, plans pinned to them."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.model import Plan, Source

TOP = "mimalloc-2.0.6"

ALLOC = "".join(f"int line_{number};\n" for number in range(1, 21))

# Ways to compress a tarball; none of them depends on the time.
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "": bytes,
}

# What a build reads of it.
TREE = {
    "CMakeLists.txt": "project(libmimalloc C CXX)\n",
    "LICENSE": "MIT License\n",
    "cmake/mimalloc-config-version.cmake": (
        "set(mi_version_major 2)\nset(mi_version_minor 0)\nset(mi_version_patch 6)\n"
    ),
    "include/mimalloc.h": "#define MI_MALLOC_VERSION 206\n",
    "mimalloc.pc.in": "Name: mimalloc\n",
    "src/alloc.c": ALLOC,
    "src/static.c": '#include "alloc.c"\n',
}
# What upstream ships besides.
EXTRAS = {"readme.md": "# mimalloc\n", "docs/index.html": "<p>\n", "test/main.c": "int main;\n"}

# Changes line 10 of src/alloc.c, with three lines of context around it.
CHANGE = """\
Why: the tests need a change.

--- a/src/alloc.c
+++ b/src/alloc.c
@@ -7,7 +7,7 @@
 int line_7;
 int line_8;
 int line_9;
-int line_10;
+int changed;
 int line_11;
 int line_12;
 int line_13;
"""


def identity(files: Mapping[str, str] = TREE) -> str:
    """The identity of such a tree, computed as the documentation of `tree` says."""
    lines = (f"{sha256(files[name].encode()).hexdigest()}  {name}\n" for name in sorted(files))
    return f"sha256:{sha256(''.join(lines).encode()).hexdigest()}"


def entry(name: str, content: bytes | str = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tarball; ``fields`` are those of its header."""
    data = content.encode() if isinstance(content, str) else content
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def entries(top: str = TOP, **changed: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The members of the release's tarball."""
    files = {**TREE, **EXTRAS, **changed}
    return [entry(f"{top}/{name}" if top else name, text) for name, text in files.items()]


def tarball(
    members: Iterable[tuple[tarfile.TarInfo, bytes]] | None = None, packing: str = "gz"
) -> bytes:
    """A tarball of these members, by default those of the release."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for member, data in entries() if members is None else members:
            archive.addfile(member, io.BytesIO(data))
    return PACKINGS[packing](sink.getvalue())


def unfold(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Write the release's files, with the extras, into a folder."""
    for name, text in ({**TREE, **EXTRAS} if files is None else files).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def source(content: bytes, url: str) -> Source:
    """A source that is pinned to this content."""
    return Source(sha256=sha256(content).hexdigest(), url=url)


def recast(plan: Plan, **recipe: Any) -> Plan:
    """The plan with another recipe."""
    return replace(plan, recipe=replace(plan.recipe, **recipe))
