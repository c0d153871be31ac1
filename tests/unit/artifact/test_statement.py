"""`artifact.statement`: whether a package matches it, and what signing changes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import place
from tests.unit.artifact.conftest import Build


def _files(rpm: Path) -> tuple[Path, Path, Path]:
    """A package, its statement, and its bill of materials."""
    return rpm, *statement.accompanying_files(rpm)


def _write(text: str, index: int) -> Callable[[Path], object]:
    return lambda rpm: _files(rpm)[index].write_text(text)


def _set(field: str, value: object) -> Callable[[Path], object]:
    def change(rpm: Path) -> None:
        file = _files(rpm)[1]
        file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))

    return change


def _clear(field: str) -> Callable[[Path], object]:
    def change(rpm: Path) -> None:
        file = _files(rpm)[1]
        file.write_text(
            re.sub(rf'("{field}": ")[0-9a-f]{{64}}', r"\g<1>" + "0" * 64, file.read_text())
        )

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(_write("altered\n", index) for index in range(3)),
        *(lambda rpm, index=index: _files(rpm)[index].unlink() for index in range(3)),
        lambda rpm: _files(rpm)[1].write_bytes(b"\xff"),
        *(_write(text, 1) for text in ("{", "{}", "[]", '{"subject": [], "predicate": {}}')),
        _set("_type", "https://in-toto.io/Statement/v0.1"),
        _set("predicateType", "https://slsa.dev/provenance/v0.2"),
        _set("subject", 2 * [{"name": "a.rpm", "digest": {"sha256": "0" * 64}}]),
        _clear("sha256"),
        _clear("key"),
    ],
)
def test_an_altered_package_is_not_up_to_date(
    build: Build, change: Callable[[Path], object]
) -> None:
    """An altered RPM, statement or bill is replaced by what was checked."""
    first = build()
    contents = [file.read_bytes() for file in _files(first.rpm)]
    change(first.rpm)
    second = build()

    assert second.fresh
    assert contents == [file.read_bytes() for file in _files(second.rpm)]


def test_a_statement_is_about_one_name(build: Build) -> None:
    """A package that was given the name of another one is not the one that was checked."""
    rpm = build().rpm
    other = rpm.with_name("another-1-1.el7.x86_64.rpm")
    for old, new in zip(_files(rpm), _files(other), strict=True):
        old.rename(new)

    assert not statement.matches(other)


def test_a_signed_file_replaces_what_was_built(build: Build, tmp_path: Path) -> None:
    """It is up to date; the checksum as built stays in the statement, also if signed again."""
    built, signed = build(), tmp_path / "signed.rpm"
    for content, signer in (("once\n", "A" * 40), ("twice\n", "B" * 40)):
        signed.write_text(content)
        statement.replace_with_signed(built.rpm, signed, signer)

    content = json.loads(_files(built.rpm)[1].read_text())
    (subject,) = content["subject"]
    _, as_built = content["predicate"]["runDetails"]["byproducts"]
    assert (sha256_of(signed), "B" * 40) == (
        subject["digest"]["sha256"],
        subject["annotations"]["signer"],
    )
    assert built.sha256 == as_built["digest"]["sha256"]
    assert statement.matches(built.rpm)
    assert not build().fresh
    assert "twice\n" == built.rpm.read_text()


@pytest.mark.parametrize("placed", [False, True])
def test_an_interrupted_signing_is_completed_or_undone(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placed: bool
) -> None:
    """With the signed file in place it is signed, before that it is not; a build keeps either."""
    built, signed = build(), tmp_path / "signed.rpm"
    signed.write_text("signed\n")

    def interrupt(source: Path, target: Path) -> None:
        if placed:
            place(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(statement, "place", interrupt)
        with pytest.raises(KeyboardInterrupt):
            statement.replace_with_signed(built.rpm, signed, "A" * 40)
    names = {file.name for file in _files(built.rpm)}

    assert placed != statement.matches(built.rpm)
    assert not build().fresh
    assert placed == ("signed\n" == built.rpm.read_text())
    assert statement.matches(built.rpm)
    assert names == {file.name for file in built.rpm.parent.glob("*custom-2*")}
    assert not list(built.rpm.parent.glob(".*"))
