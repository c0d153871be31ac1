"""`toml`: a file becomes a dataclass, or a list of complaints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from pipeline.config import toml
from pipeline.model.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Part:
    """A nested table."""

    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A table with values of several types."""

    name: str
    day: date
    part: Mapping[str, Part] = field(default_factory=dict)


GOOD = """
name = "ours"
day = 1999-12-31
[part.top]
count = 2
names = ["a", "b"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good file."""
    file = tmp_path / "whole.toml"
    file.write_text(GOOD)
    return file


def _complaints(file: Path) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        toml.load(file, Whole)
    problem = caught.value
    assert ("whole.toml cannot be used", file) == (problem.what, problem.file)
    return sorted(problem.detail.splitlines())


def test_a_file_becomes_what_it_describes(file: Path) -> None:
    """Lists are tuples, tables of tables are mappings."""
    part = Part(2, ("a", "b"))

    assert Whole("ours", date(1999, 12, 31), {"top": part}) == toml.load(file, Whole)


def test_a_field_may_come_from_elsewhere(file: Path) -> None:
    """Such as the file's own name, which replaces a value in the file."""
    assert "theirs" == toml.load(file, Whole, extra={"name": "theirs"}).name
    assert "ours" == toml.load(file, Whole).name


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"ours"', "7", "name: expected str, got 7"),
        ("count = 2", "count = true", "part['top'].count: expected int, got True"),
        ("count = 2", "count = 2.0", "part['top'].count: expected int, got 2.0"),
        ("count = 2", "", "part['top'].count: missing"),
        ('["a", "b"]', '"ab"', "part['top'].names: expected a list, got 'ab'"),
        ('["a", "b"]', '["a", 2]', "part['top'].names[1]: expected str, got 2"),
        ("1999-12-31", "1999-12-31T00:00:00Z", "day: expected date, got"),
        ("[part.top]", "part = 1\n[other]", "part: expected a table"),
        ("day", "days", "day: missing"),
        ("day", "days", "unknown key days"),
        ("name =", "name", "Expected '=' after a key"),
    ],
)
def test_a_fault_is_reported_with_its_key(file: Path, old: str, new: str, complaint: str) -> None:
    """Values are not converted, and unknown keys are not ignored."""
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    complaints = _complaints(file)

    assert [] != [line for line in complaints if line.startswith(complaint)], complaints


def test_all_faults_are_reported_at_once(file: Path) -> None:
    """Also those in nested tables."""
    file.write_text('bogus = 1\nday = "then"\n[part.top]\nnames = []\nmore = 2\n')

    assert [
        "day: expected date, got 'then'",
        "name: missing",
        "part['top'].count: missing",
        "part['top']: unknown key more",
        "unknown key bogus",
    ] == _complaints(file)


def test_faults_of_content_come_after_those_of_type(file: Path) -> None:
    """A file with a wrong type is not validated any further."""
    validated: list[Whole] = []

    def validate(whole: Whole) -> list[str]:
        validated.append(whole)
        return ["part: too few", "name: too short"]

    with pytest.raises(RecipeError) as caught:
        toml.load(file, Whole, validate)
    assert "part: too few\nname: too short" == caught.value.detail
    file.write_text(GOOD.replace('"ours"', "7"))
    with pytest.raises(RecipeError):
        toml.load(file, Whole, validate)

    assert 1 == len(validated)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The error has the file."""
    with pytest.raises(RecipeError, match="no such file") as caught:
        toml.load(tmp_path / "none.toml", Whole)

    assert tmp_path / "none.toml" == caught.value.file


def test_a_file_that_is_not_utf_8(file: Path) -> None:
    """Bytes that are not UTF-8 are a complaint."""
    file.write_bytes(b"\xff\xfe")

    assert "utf-8" in _complaints(file)[0]


def test_a_number_where_a_table_should_be(file: Path) -> None:
    """The complaint is about the table, and not an internal error."""
    file.write_text(GOOD.replace("[part.top]", "[part]\ntop = 5\n[part.other]"))

    assert ["part['top']: expected a table, got 5"] == _complaints(file)
