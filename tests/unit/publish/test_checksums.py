"""`publish.checksums`: which packages a signed list names as they are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifact.statement import accompanying_files
from pipeline.publish import checksums
from pipeline.publish.key import Key
from pipeline.system.checksum import sha256_of

NAMES = ("a-1-1.el8.x86_64.rpm", "b-1-1.el8.x86_64.rpm")


@pytest.fixture
def key(key: Key, monkeypatch: pytest.MonkeyPatch) -> Key:
    """A key whose signature is the text of the file."""

    def sign(self: Key, file: Path) -> None:
        Path(f"{file}.asc").write_bytes(file.read_bytes())

    def has_signed(self: Key, file: Path) -> bool:
        signature = Path(f"{file}.asc")
        return signature.is_file() and signature.read_bytes() == file.read_bytes()

    monkeypatch.setattr(Key, "sign_file", sign)
    monkeypatch.setattr(Key, "has_signed", has_signed)
    return key


@pytest.fixture
def folder(key: Key, tmp_path: Path) -> Path:
    """A folder with two packages, their files, and a signed list."""
    folder = tmp_path / "served"
    folder.mkdir()
    for rpm in map(folder.joinpath, NAMES):
        for file in (rpm, *accompanying_files(rpm)):
            file.write_text(file.name)
    checksums.write(folder, key, {})
    return folder


def _sums(folder: Path, key: Key) -> dict[Path, str]:
    return checksums.intact(sorted(folder.glob("*.rpm")), key)


def intact(folder: Path, key: Key) -> set[str]:
    """The names of the packages that are intact; their checksums are right."""
    sums = _sums(folder, key)
    assert {file: sha256_of(file) for file in sums} == sums
    names = {file.name for file in sums if file.suffix == ".rpm"}
    assert 3 * len(names) == len(sums)
    return names


def test_what_was_listed_is_intact(folder: Path, key: Key) -> None:
    """A package that came later is not."""
    new = folder / "c-1-1.el8.x86_64.rpm"
    for file in (new, *accompanying_files(new)):
        file.write_text(file.name)

    assert set(NAMES) == intact(folder, key)


def test_what_is_changed_after_it_was_found_intact_is_not_listed(folder: Path, key: Key) -> None:
    """The next list has the checksums that were verified."""
    known = {file.name: sha256 for file, sha256 in _sums(folder, key).items()}
    for file in (folder / "SHA256SUMS", folder / "SHA256SUMS.asc"):
        file.unlink()
    (folder / NAMES[0]).write_text("other")

    checksums.write(folder, key, known)

    assert {NAMES[1]} == intact(folder, key)


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("change", [lambda file: file.write_text("other"), Path.unlink])
def test_a_package_is_not_intact_if_one_of_its_files_is_not(
    folder: Path, key: Key, which: int, change: Callable[[Path], object]
) -> None:
    """Package, statement, bill: altered, or gone. The other package is."""
    rpm = folder / NAMES[0]
    change((rpm, *accompanying_files(rpm))[which])

    assert {NAMES[1]} == intact(folder, key)


def test_another_listed_file_is_not_the_one_of_this_name(folder: Path, key: Key) -> None:
    """A list says which file has which name."""
    first, second = (folder / name for name in NAMES)
    first.write_bytes(second.read_bytes())

    assert {NAMES[1]} == intact(folder, key)


@pytest.mark.parametrize(
    "change",
    [
        lambda listing: listing.write_text(listing.read_text() + "\n"),
        lambda listing: Path(f"{listing}.asc").unlink(),
        Path.unlink,
    ],
)
def test_a_list_that_is_not_signed_names_nothing(
    folder: Path, key: Key, change: Callable[[Path], object]
) -> None:
    """Changed, without a signature, or gone."""
    change(folder / "SHA256SUMS")

    assert set() == intact(folder, key)


@pytest.mark.parametrize("text", [b"", b"\xff\n", b"one\n\n  \n", b"a  ../b\n"])
def test_a_list_of_another_kind_names_nothing(folder: Path, key: Key, text: bytes) -> None:
    """Whatever else the key has signed under this name."""
    (folder / "SHA256SUMS").write_bytes(text)
    key.sign_file(folder / "SHA256SUMS")

    assert set() == intact(folder, key)
