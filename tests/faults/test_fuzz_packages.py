"""Mutated packages and libraries: read, or refused with an error of ours, within limits."""

import lzma
import random
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifact import statement
from pipeline.commands import verify
from pipeline.inspect import elf, payload
from pipeline.inspect.package import read
from pipeline.model import Built
from pipeline.publish.key import Key
from pipeline.service import run
from tests.build.conftest import Package
from tests.faults.generated import corrupted
from tests.faults.sandbox import Outcome, sandboxed
from tests.tally import count

# Bytes; more than any package of ours contains.
LIMIT = 32 << 20

GENERATORS = st.randoms(use_true_random=False)

# An example reads a whole library, or starts several programs of rpm.
FEWER = settings(max_examples=max(20, settings().max_examples // 3))


def checked(outcome: Outcome) -> Outcome:
    """The outcome, without an unexpected error, and without files outside of the folder."""
    count("mutated packages")
    assert "" == outcome.fault
    assert [] == outcome.outside
    return outcome


@pytest.fixture(scope="module")
def built(package: Package) -> Built:
    """A real package."""
    return package("2.0.9", "el7")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only folder that may be written to."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def library(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared library in it."""
    folder = tmp_path_factory.mktemp("library")
    payload.unpack(built.rpm, folder)
    return payload.place(payload.root(folder), built.plan.library)


def _parts(content: bytes) -> list[tuple[int, int]]:
    """The offsets of the header and the tables of an ELF file."""
    sections = int.from_bytes(content[40:48], "little")
    return [(0, 64), (64, 64 + 56 * 12), (sections, len(content)), (0x200, 0x3000)]


def _altered(content: bytes, generator: random.Random, times: int) -> bytes:
    """A copy with a few bytes changed in one of those tables, or anywhere."""
    start, end = generator.choice([*_parts(content), (0, len(content))])
    return content[:start] + corrupted(content[start:end], generator, times) + content[end:]


@FEWER
@given(generator=GENERATORS, times=st.integers(1, 6))
def test_libraries(library: Path, folder: Path, generator: random.Random, times: int) -> None:
    """A malformed library is read or refused."""
    file = folder / "libmimalloc.so"
    file.write_bytes(_altered(library.read_bytes(), generator, times))

    outcome = checked(sandboxed(partial(elf.read, file), folder))

    assert outcome.kind in ("good", "CheckError")
    assert "good" == checked(sandboxed(lambda: list(run.warnings(file)), folder)).kind


def _endless_sections(content: bytearray) -> None:
    """All section headers are the first one, which has their number."""
    content[58:62] = bytes(4)
    first = int.from_bytes(content[40:48], "little")
    content[first + 32 : first + 40] = (1 << 60).to_bytes(8, "little")


def _many_sections(content: bytearray) -> None:
    content[58:62] = b"\0\0\xff\xff"


def _endless_segments(content: bytearray) -> None:
    content[54:58] = b"\0\0\xff\xff"
    first = int.from_bytes(content[40:48], "little")
    content[first + 44 : first + 48] = b"\xff" * 4


def _endless_versions(content: bytearray) -> None:
    """The entry after the first one is the first one."""
    first, number = (int.from_bytes(content[at : at + n], "little") for at, n in ((40, 8), (60, 2)))
    for header in range(first, first + 64 * number, 64):
        if content[header + 4 : header + 8] == b"\xfe\xff\xff\x6f":
            content[header + 44 : header + 48] = b"\xff" * 4
            start = int.from_bytes(content[header + 24 : header + 32], "little")
            content[start + 12 : start + 16] = bytes(4)


@pytest.mark.parametrize(
    "mutate", [_endless_sections, _many_sections, _endless_segments, _endless_versions]
)
def test_tables_without_end(
    library: Path, folder: Path, mutate: Callable[[bytearray], None]
) -> None:
    """A table is not longer than its file."""
    content = bytearray(library.read_bytes())
    mutate(content)
    file = folder / "libmimalloc.so"
    file.write_bytes(content)

    assert "CheckError" == checked(sandboxed(partial(elf.read, file), folder, seconds=5)).kind


@FEWER
@given(generator=GENERATORS, times=st.integers(1, 6), header=st.booleans())
def test_packages(
    built: Built, folder: Path, generator: random.Random, times: int, header: bool
) -> None:
    """A malformed package is read or refused."""
    whole, file = built.rpm.read_bytes(), folder / built.rpm.name
    end = 8192 if header else len(whole)
    file.write_bytes(corrupted(whole[:end], generator, times) + whole[end:])
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()

    for call in (
        partial(read, file, scratch, library=built.plan.library),
        partial(statement.signed_content, file),
        partial(lambda: list(verify.differences(file, built.rpm, _fresh(scratch), LIMIT))),
    ):
        assert checked(sandboxed(call, folder)).kind in ("good", "CheckError")


def _fresh(scratch: Path) -> Path:
    folder = scratch / "differences"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@FEWER
@given(generator=GENERATORS, times=st.integers(1, 6))
def test_signatures(built: Built, folder: Path, generator: random.Random, times: int) -> None:
    """An unsigned package has a complaint, whichever bytes are changed."""
    file = folder / "signed.rpm"
    file.write_bytes(corrupted(built.rpm.read_bytes(), generator, times))
    key = Key("0" * 40, "nobody", "", "sha256", folder)

    assert checked(sandboxed(partial(key.complaint, file), folder)).answer


def _cpio(*entries: tuple[str, int, bytes]) -> bytes:
    """A cpio archive as in an RPM, from name, mode and content of files."""
    raw = b""
    for number, (name, mode, inside) in enumerate((*entries, ("TRAILER!!!", 0, b"")), 1):
        path = name.encode() + b"\0"
        words = (number, mode, 0, 0, 1, 0, len(inside), 8, 1, 0, 0, len(path), 0)
        raw += b"070701" + b"".join(b"%08x" % word for word in words) + path
        raw += bytes(-len(raw) % 4) + inside
        raw += bytes(-len(raw) % 4)
    return raw


LINK, FILE, FOLDER = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755


@pytest.mark.parametrize(
    "way", ["absolute", "up", "link", "link to a link", "file over a link", "fifo"]
)
def test_payloads_that_lead_out(built: Built, tmp_path: Path, way: str) -> None:
    """No path in a package is unpacked outside of the folder."""
    outside, folder = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    folder.mkdir()
    (outside / "canary").write_text("untouched")
    out = str(outside)
    entries = {
        "absolute": [(f"{out}/evil", FILE, b"x")],
        "up": [("./../../../outside/evil", FILE, b"x"), ("../../outside/evil", FILE, b"x")],
        "link": [("./a", LINK, out.encode()), ("./a/evil", FILE, b"x")],
        "link to a link": [
            ("./a", LINK, b".."),
            ("./b", LINK, b"a/../../outside"),
            ("./b/evil", FILE, b"x"),
        ],
        "file over a link": [
            ("./a", LINK, f"{out}/canary".encode()),
            ("./a", FILE, b"evil"),
        ],
        "fifo": [("./usr", FOLDER, b""), ("./usr/x", stat.S_IFIFO | 0o644, b"")],
    }[way]
    rpm = _repacked(built.rpm, folder, _cpio(*entries))

    checked(sandboxed(partial(read, rpm, folder, library=built.plan.library), folder))

    assert ["canary"] == [file.name for file in outside.iterdir()]
    assert "untouched" == (outside / "canary").read_text()


def test_a_payload_that_is_a_bomb(built: Built, folder: Path) -> None:
    """A package to verify is not unpacked beyond the limit."""
    rpm = _repacked(built.rpm, folder, _cpio(("./usr/x", stat.S_IFREG | 0o644, bytes(8 * LIMIT))))

    outcome = checked(
        sandboxed(lambda: list(verify.differences(rpm, built.rpm, _fresh(folder), LIMIT)), folder)
    )

    assert "SIGXFSZ" in str(outcome.error and outcome.error.got)
    assert LIMIT >= max(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _repacked(rpm: Path, folder: Path, payload: bytes) -> Path:
    """The headers of a package, with another payload."""
    whole, repacked = rpm.read_bytes(), folder / rpm.name
    repacked.write_bytes(whole[: _payload(whole)] + lzma.compress(payload))
    return repacked


def _payload(rpm: bytes) -> int:
    """The offset of the payload: after the lead and two headers, the first of them padded."""
    at = 96
    for padding in (8, 1):
        entries, size = (int.from_bytes(rpm[at + 8 + i : at + 12 + i]) for i in (0, 4))
        at += 16 + 16 * entries + size
        at += -at % padding
    return at
