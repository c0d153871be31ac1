"""The options of upstream's CMakeLists: read, compared, and all of them decided on."""

from pathlib import Path

import pytest

from pipeline.bump import cmake_options, recipe_writer
from pipeline.bump.cmake_options import Option
from pipeline.config import load

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "name", "default", "described"),
    [
        ('option(MI_A "Some text" ON)', "MI_A", "ON", "Some text"),
        ('OPTION ( MI_A\n  "Some\n   text"   # why\n  off )', "MI_A", "off", "Some text"),
        (
            r'option(MI_A "Use `-DX=\"a=1;b\"` (see #1)" "")',
            "MI_A",
            "",
            'Use `-DX="a=1;b"` (see #1)',
        ),
        ('option(MI_A "no default")', "MI_A", "OFF", "no default"),
        ("option(MI_A)", "MI_A", "OFF", ""),
        ("option(MI_A [=[a ]] ) text]=] ON)", "MI_A", "ON", "a ]] ) text"),
        ('if(A AND (B OR C))\n  option(MI_A "t" ON)\nendif()', "MI_A", "ON", "t"),
        (
            'option(MI_A "t" ON)\noption(MI_A "t" OFF)\noption(MI_A "t" ON)',
            "MI_A",
            "ON or OFF",
            "t",
        ),
        ('cmake_dependent_option(MI_A "t" ON "B;NOT C" OFF)', "MI_A", "ON", "t"),
        ('set(MI_A a b CACHE STRING "t" FORCE)', "MI_A", "a;b", "t"),
        ('set(MI_A "" CACHE STRING "t")', "MI_A", "", "t"),
        # A comma is part of a name: upstream has released one.
        ('option(MI_A, "t" OFF)', "MI_A,", "OFF", "t"),
        ('#[[ " ( ]] #"\noption(MI_A "t" ON)', "MI_A", "ON", "t"),
    ],
)
def test_the_ways_in_which_an_option_is_written(
    text: str, name: str, default: str, described: str
) -> None:
    """As cmake reads them."""
    assert {name: Option(default, described)} == cmake_options.read(text)


@pytest.mark.parametrize(
    "text",
    [
        '# option(MI_A "t" ON)',
        '#[==[\noption(MI_A "t" ON)\n]==]',
        'message("option(MI_A ON)")',
        'my_option(MI_A "t" ON)',
        "set(MI_A ON)",
        "option()",
        "",
        ')))("',
    ],
)
def test_what_is_no_option(text: str) -> None:
    """Comments, texts, other commands, plain variables, and what is no cmake at all."""
    assert {} == cmake_options.read(text)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Also a default with an equals sign, and an empty one; sorted, whatever upstream's order."""
    content = cmake_options.written({"B": Option("", "t"), "A": Option("x=1", "t")}, "3.18")
    file = cmake_options.file(tmp_path, "2.2.9")
    assert ({}, "0") == cmake_options.recorded(tmp_path, "2.2.9")
    file.parent.mkdir(parents=True)
    file.write_text(content)

    assert "cmake_minimum_required=3.18\nA=x=1\nB=\n" == content
    assert ({"A": "x=1", "B": ""}, "3.18") == cmake_options.recorded(tmp_path, "2.2.9")


@pytest.mark.parametrize(
    ("text", "minimum"),
    [
        ("cmake_minimum_required(VERSION 3.18)", "3.18"),
        ("CMAKE_MINIMUM_REQUIRED( VERSION 3.18...3.31 FATAL_ERROR )", "3.18"),
        ("  cmake_minimum_required (VERSION 4)", "4"),
        ("# cmake_minimum_required(VERSION 9)", "0"),
        ("#[[\ncmake_minimum_required(VERSION 9)\n]]", "0"),
        ("cmake_minimum_required()", "0"),
        ("", "0"),
    ],
)
def test_the_cmake_that_a_tree_needs(text: str, minimum: str) -> None:
    """The ways in which it can be written."""
    assert minimum == cmake_options.minimum(text)


def test_new_dropped_and_changed_options_are_shown() -> None:
    """Each with what we have decided; those that we set do not stop a bump."""
    old = {"SAME": "ON", "GONE": "ON", "SET_GONE": "ON", "MOVED": "ON", "SET_MOVED": "ON"}
    names = ("SAME", "MOVED", "SET_MOVED", "NEW", "SET_NEW", "UNKNOWN")
    new = {name: Option("ON" if name == "SAME" else "OFF", f"text of {name}") for name in names}
    reasons = {"SAME": "same", "MOVED": "moved", "NEW": "new"}
    comparison = cmake_options.compare(old, new, reasons, {"SET_GONE", "SET_MOVED", "SET_NEW"})

    assert (
        "! MOVED=ON -> OFF    moved",
        "+ NEW=OFF    new",
        "! SET_MOVED=ON -> OFF    set by us",
        "+ SET_NEW=OFF    set by us",
        "+ UNKNOWN=OFF    nobody has decided on it: text of UNKNOWN",
        "- GONE=ON",
        "- SET_GONE=ON    set by us: remove it, as cmake may ignore it",
    ) == comparison.lines
    assert {"UNKNOWN": new["UNKNOWN"]} == comparison.undecided
    assert ("MOVED=ON -> OFF    text of MOVED",) == comparison.changed


def test_an_option_is_set_by_any_table(project: Path) -> None:
    """Of all releases, of a recipe, of a flavor; a type is no part of the name."""
    settings = cmake_options.settings(load.package(project), ["MI_OWN:STRING"])

    assert {"MI_OWN", "MI_OVERRIDE", "MI_SECURE", "CMAKE_BUILD_TYPE"} < settings


def _set_by(project: Path, version: str) -> list[str]:
    text = (project / "recipes" / f"{version}.toml").read_text(encoding="utf-8")
    return recipe_writer.cmake(text)


@pytest.mark.parametrize("version", load.versions(ROOT))
def test_every_option_of_a_pinned_release_is_decided_on(project: Path, version: str) -> None:
    """It is set, or there is a reason for its default."""
    package = load.package(project)
    defaults, cmake = cmake_options.recorded(project, version)
    settings = cmake_options.settings(package, _set_by(project, version))

    assert "0" != cmake
    assert {"MI_OVERRIDE", "MI_BUILD_SHARED"} < defaults.keys()
    assert set() == defaults.keys() - settings - package.options.keys()


def test_every_reason_is_about_an_option_that_is_left_at_its_default(project: Path) -> None:
    """Of a pinned release that does not set it; and every file is that of a pinned release."""
    package, left = load.package(project), set[str]()
    for version in load.versions(project):
        names = cmake_options.recorded(project, version)[0].keys()
        left |= names - cmake_options.settings(package, _set_by(project, version))

    assert package.options.keys() == left
    assert all(reason.strip() for reason in package.options.values())
    files = {file.stem for file in (project / "recipes" / "options").iterdir()}
    assert set(load.versions(project)) == files
