"""`mi_version`: the version is read from a library's code, and the library is not run."""

from pathlib import Path

import pytest

from pipeline.inspect import mi_version


@pytest.mark.parametrize(
    ("machine", "code", "number"),
    [
        ("x64", "b8 83760000 c3", 30339),
        ("x64", "f30f1efa b8 ce000000 c3", 206),
        ("x64", "55 4889e5 b8 b14f0000 5d c3", 20401),
        ("AArch64", "c0198052 c0035fd6", 206),
        ("AArch64", "5f2403d5 60d28e52 c0035fd6", 30355),
        ("AArch64", "00008052 2000a072 c0035fd6", 65536),
        ("x64", "c3", 0),
    ],
)
def test_the_number_that_the_code_loads(machine: str, code: str, number: int) -> None:
    """With or without an instruction for branch protection, in one or two instructions."""
    assert number == mi_version._loaded(machine, bytes.fromhex(code))


def test_another_file_has_no_number(tmp_path: Path) -> None:
    """Another program, a text, a missing file."""
    text = tmp_path / "text"
    text.write_text("mi_version")

    assert [0, 0, 0] == [
        mi_version.mi_version(file) for file in (Path("/bin/sh"), text, tmp_path / "none")
    ]
