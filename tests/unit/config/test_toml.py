"""`tables`: a TOML file becomes just the dataclass that is asked for, or a list of complaints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from pipeline.config import toml
from pipeline.model.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Shelf:
    """A part of a larger thing."""

    books: int
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Library:
    """Something with parts of all kinds."""

    name: str
    opened: date
    shelf: Mapping[str, Shelf] = field(default_factory=dict)


GOOD = """
name = "ours"
opened = 1999-12-31
[shelf.top]
books = 2
titles = ["a", "b"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good file."""
    file = tmp_path / "library.toml"
    file.write_text(GOOD)
    return file


def _complaints(file: Path) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        toml.load(file, Library)
    problem = caught.value
    assert ("library.toml cannot be used", file) == (problem.what, problem.file)
    return sorted(problem.detail.splitlines())


def test_a_file_becomes_what_it_describes(file: Path) -> None:
    """Lists are tuples, tables of tables are mappings."""
    shelf = Shelf(2, ("a", "b"))

    assert Library("ours", date(1999, 12, 31), {"top": shelf}) == toml.load(file, Library)


def test_a_field_may_come_from_elsewhere(file: Path) -> None:
    """Such as the file's own name, whatever the file says."""
    assert "theirs" == toml.load(file, Library, extra={"name": "theirs"}).name
    assert "ours" == toml.read(file)["name"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"ours"', "7", "name: expected str, got 7"),
        ("books = 2", "books = true", "shelf['top'].books: expected int, got True"),
        ("books = 2", "books = 2.0", "shelf['top'].books: expected int, got 2.0"),
        ("books = 2", "", "shelf['top'].books: missing"),
        ('["a", "b"]', '"ab"', "shelf['top'].titles: expected a list, got 'ab'"),
        ('["a", "b"]', '["a", 2]', "shelf['top'].titles[1]: expected str, got 2"),
        ("1999-12-31", "1999-12-31T00:00:00Z", "opened: expected date, got"),
        ("[shelf.top]", "shelf = 1\n[other]", "shelf: expected a table"),
        ("opened", "closed", "opened: missing"),
        ("opened", "closed", "unknown key closed"),
        ("name =", "name", "Expected '=' after a key"),
    ],
)
def test_a_fault_is_told_with_its_place(file: Path, old: str, new: str, complaint: str) -> None:
    """Nothing is turned into what it is not, and no key is passed over."""
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    told = _complaints(file)

    assert [] != [line for line in told if line.startswith(complaint)], told


def test_all_faults_come_at_once(file: Path) -> None:
    """However deep they are."""
    file.write_text('bogus = 1\nopened = "then"\n[shelf.top]\ntitles = []\nmore = 2\n')

    assert [
        "name: missing",
        "opened: expected date, got 'then'",
        "shelf['top'].books: missing",
        "shelf['top']: unknown key more",
        "unknown key bogus",
    ] == _complaints(file)


def test_faults_of_content_come_after_those_of_type(file: Path) -> None:
    """What is of the wrong type is not asked what it means."""
    asked: list[Library] = []

    def faults(found: Library) -> list[str]:
        asked.append(found)
        return ["shelf: too few", "name: too short"]

    with pytest.raises(RecipeError) as caught:
        toml.load(file, Library, faults)
    assert "shelf: too few\nname: too short" == caught.value.detail
    file.write_text(GOOD.replace('"ours"', "7"))
    with pytest.raises(RecipeError):
        toml.load(file, Library, faults)

    assert 1 == len(asked)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Its name is told, and that it should be there."""
    with pytest.raises(RecipeError, match="no such file") as caught:
        toml.read(tmp_path / "none.toml")

    assert tmp_path / "none.toml" == caught.value.file


def test_a_file_that_is_no_text(file: Path) -> None:
    """Bytes of another kind are a complaint."""
    file.write_bytes(b"\xff\xfe")

    assert "utf-8" in _complaints(file)[0]


def test_a_number_where_a_table_should_be(file: Path) -> None:
    """It is told as such, and not as what Python cannot do with a number."""
    file.write_text(GOOD.replace("[shelf.top]", "[shelf]\ntop = 5\n[shelf.other]"))

    assert ["shelf['top']: expected a table, got 5"] == _complaints(file)
