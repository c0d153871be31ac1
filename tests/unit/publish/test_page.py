"""`publish.page`: what is filled in, and what is kept out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.publish import page, selection
from pipeline.publish.key import Key
from pipeline.publish.page import PageContext

NAMES = (
    "mimalloc-custom-3.4.3-1.el8.x86_64.rpm",
    "mimalloc-custom-9.0.1-1.el8.x86_64.rpm",
    "mimalloc-custom-secure-3.4.3-1.el8.x86_64.rpm",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The packages, laid out."""
    folder = tmp_path / "el8" / "x86_64"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(name)
    return tmp_path


@pytest.fixture
def shown(project: Path, tree: Path, key: Key) -> PageContext:
    """What a page is about; 9.0.1 has no recipe any more."""
    items = tuple(selection.read(tree / "el8" / "x86_64" / name) for name in NAMES)
    url = "https://packages.example.org/m"
    return PageContext(project, load.package(project), key, url, {("el8", "x86_64"): items})


def test_each_line_and_no_other_dist(shown: PageContext, tree: Path) -> None:
    """Two lines of one dist: two files, also of a line that no recipe knows."""
    page.write(shown, tree)

    assert {"mimalloc-custom-v3.repo", "mimalloc-custom-v9.repo"} == {
        file.name for file in tree.glob("*/*.repo")
    }
    text = (tree / "el8" / "mimalloc-custom-v3.repo").read_text()
    assert "includepkgs=mimalloc-custom-3.* mimalloc-custom-secure-3.*\n" in text
    assert "(libmimalloc.so.3)" in text
    assert "source" not in text
    shown_page = (tree / "index.html").read_text()
    assert 'id="el8"' in shown_page
    assert 'id="el7"' not in shown_page
    assert "public half\n" == (tree / shown.key_file).read_text()


def test_lines_are_in_the_order_of_their_numbers(shown: PageContext, tree: Path) -> None:
    """The tenth is newer than the ninth, though as a text it comes first."""
    name = "mimalloc-custom-10.0.0-1.el8.x86_64.rpm"
    (tree / "el8" / "x86_64" / name).write_text(name)
    items = (*shown.stock["el8", "x86_64"], selection.read(tree / "el8" / "x86_64" / name))
    page.write(replace(shown, stock={("el8", "x86_64"): items}), tree)

    text = (tree / "index.html").read_text()
    places = [text.index(page.repo_file(shown.package, line)) for line in ("v10", "v9", "v3")]
    assert sorted(places) == places


def test_nothing_in_a_name_is_markup(shown: PageContext, tree: Path) -> None:
    """The owner of a key may call themselves anything."""
    owner = "<script>alert(1)</script> & Co"
    page.write(replace(shown, key=replace(shown.key, owner=owner)), tree)

    text = (tree / "index.html").read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co" in text


def test_every_line_of_a_repo_file_is_a_setting(shown: PageContext, tree: Path) -> None:
    """A section, a comment, an empty line, or a name with a value."""
    page.write(shown, tree)

    for file in tree.glob("*/*.repo"):
        for line in file.read_text().splitlines():
            assert not line or line[0] in "#[" or line.count("=") == 1, line
