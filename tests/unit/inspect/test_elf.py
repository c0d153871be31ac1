"""`elf`: the facts of small libraries from fixtures/make.sh."""

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pipeline.inspect import elf
from pipeline.model import VersionedSymbol
from pipeline.model.errors import CheckError


def patched(fixtures: Path, folder: Path, changes: Mapping[int, bytes]) -> Path:
    """A copy of good.so with other bytes at some offsets."""
    copy = folder / "patched.so"
    shutil.copyfile(fixtures / "good.so", copy)
    with copy.open("r+b") as file:
        for offset, content in changes.items():
            file.seek(offset)
            file.write(content)
    return copy


def test_names_and_identity(fixtures: Path) -> None:
    """Machine, soname, needed libraries and build-id are read as the linker wrote them."""
    library = elf.read(fixtures / "good.so")
    assert ("x86_64", "libfixture.so.1") == (library.machine, library.soname)
    assert ("libc.so.6",) == library.needed
    assert "0123456789abcdef0123456789abcdef01234567" == library.build_id
    assert ("", ()) == (library.rpath, library.leftovers)


def test_symbols_have_versions_and_files(fixtures: Path) -> None:
    """Every needed symbol has the version and the library."""
    assert (
        VersionedSymbol("__memcpy_chk", "GLIBC_2.3.4", "libc.so.6"),
        VersionedSymbol("__stack_chk_fail", "GLIBC_2.4", "libc.so.6"),
    ) == elf.read(fixtures / "good.so").symbols


def test_exports_are_what_others_can_bind_to(fixtures: Path) -> None:
    """Weak symbols count, static ones and needed ones do not."""
    assert {
        "fixture_block",
        "fixture_copy",
        "fixture_swap",
        "fixture_weak",
    } == elf.read(fixtures / "good.so").exports


def test_a_hardened_library_has_all_traits(fixtures: Path) -> None:
    """The traits that all machines have, and those of one machine."""
    shared = {"relro", "bind-now", "stack-not-executable", "code-not-writable"}
    shared |= {"no-text-relocations", "stack-protector", "fortify"}
    assert shared | {"cet"} == elf.read(fixtures / "good.so").hardening
    assert shared | {"branch-protection"} == elf.read(fixtures / "good-aarch64.so").hardening


def test_a_plain_library_lacks_them(fixtures: Path) -> None:
    """The library is linked without them."""
    assert {"stack-not-executable"} == elf.read(fixtures / "plain.so").hardening


def test_an_executable_stack(fixtures: Path, tmp_path: Path) -> None:
    """It is a bit in a program header."""
    with (fixtures / "good.so").open("rb") as file:
        parts = list(ELFFile(file).iter_segments())
        number = [part["p_type"] for part in parts].index("PT_GNU_STACK")
    flags = 64 + number * 56 + 4
    library = elf.read(patched(fixtures, tmp_path, {flags: b"\x07"}))
    assert "stack-not-executable" not in library.hardening


def test_thread_local_storage_and_its_model(fixtures: Path) -> None:
    """Bytes of storage, and whether it is static."""
    good, plain = elf.read(fixtures / "good.so"), elf.read(fixtures / "plain.so")
    assert (24, True) == (good.tls, good.static_tls)
    assert (24, False) == (plain.tls, plain.static_tls)


def test_search_path_and_debug_sections(fixtures: Path) -> None:
    """A run path and a symbol table are facts that checks report."""
    library = elf.read(fixtures / "plain.so")
    assert ("/opt/lib", (".symtab",), "") == (library.rpath, library.leftovers, library.build_id)


def test_segments_are_aligned_for_the_largest_pages(fixtures: Path) -> None:
    """aarch64 kernels may have pages of 64 KiB."""
    assert 1 << 12 == elf.read(fixtures / "good.so").load_alignment
    assert 1 << 16 == elf.read(fixtures / "good-aarch64.so").load_alignment


def test_packed_relocations_count_as_a_version(fixtures: Path, tmp_path: Path) -> None:
    """Older loaders ignore such a table, whatever version the linker requires."""
    with (fixtures / "good.so").open("rb") as file:
        good = ELFFile(file)
        number = next(n for n, part in enumerate(good.iter_sections()) if part.name == ".comment")
        start = good["e_shoff"] + number * good["e_shentsize"]
    kind, width = {start + 4: struct.pack("<I", 19)}, {start + 56: struct.pack("<Q", 8)}
    library = elf.read(patched(fixtures, tmp_path, kind | width))
    packed = VersionedSymbol("", "GLIBC_ABI_DT_RELR", "a SHT_RELR section")
    assert packed == library.symbols[-1]


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF", b"\x7fELF\x02\x01\x01" + b"\0" * 57])
def test_another_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    """The error has the file."""
    file = tmp_path / "libbroken.so"
    file.write_bytes(content)
    with pytest.raises(CheckError, match=r"libbroken\.so is not a shared library"):
        elf.read(file)


def test_a_truncated_library_is_an_error(fixtures: Path, tmp_path: Path) -> None:
    """Half of a library cannot be read."""
    file = tmp_path / "libhalf.so"
    file.write_bytes((fixtures / "good.so").read_bytes()[:2000])
    with pytest.raises(CheckError):
        elf.read(file)
