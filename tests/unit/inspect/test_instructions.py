"""`instructions`: groups and counts in libraries that differ only in -mcpu."""

from pathlib import Path

from elftools.elf.elffile import ELFFile

from pipeline.inspect import instructions


def counted(file: Path) -> dict[str, dict[str, int]]:
    """The counts of a library."""
    with file.open("rb") as content:
        return {group: dict(names) for group, names in instructions.count(ELFFile(content)).items()}


def test_the_oldest_processors_have_no_groups(fixtures: Path) -> None:
    """Code of the base level is only in the group of the machine's mode."""
    assert {"", "mode64"} == set(counted(fixtures / "good.so"))


def test_wide_vectors_have_a_group(fixtures: Path) -> None:
    """The group has its name in capstone, and every instruction is counted."""
    assert {"vpaddd": 1} == counted(fixtures / "newer.so")["avx2"]


def test_instructions_of_no_group_are_counted_too(fixtures: Path) -> None:
    """capstone has no group for popcnt or the atomics of aarch64."""
    assert 1 == counted(fixtures / "newer.so")[""]["popcnt"]
    assert 1 == counted(fixtures / "newer-aarch64.so")[""]["swpal"]
    assert "swpal" not in counted(fixtures / "good-aarch64.so")[""]


def test_pointer_authentication_has_a_group(fixtures: Path) -> None:
    """Although older processors execute its instructions as hints."""
    assert {"", "pointer authentication"} == set(counted(fixtures / "good-aarch64.so"))


def test_unknown_bytes_are_counted(fixtures: Path, tmp_path: Path) -> None:
    """Bytes that capstone cannot decode may be newer instructions."""
    content = (fixtures / "good.so").read_bytes()
    with (fixtures / "good.so").open("rb") as file:
        text = ELFFile(file).get_section_by_name(".text")
        assert text is not None
        start = text["sh_offset"]
    changed = tmp_path / "changed.so"
    changed.write_bytes(content[:start] + b"\x06\x07\x06\x07" + content[start + 4 :])
    assert 4 == sum(counted(changed)[instructions.UNDECODED].values())
