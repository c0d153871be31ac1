"""`host_names`: names of the build host in header texts, path names and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.inspect import host_names


def test_a_path_matches_anywhere(tmp_path: Path) -> None:
    """Also in the middle of binary content, and at the start of a longer path."""
    (tmp_path / "file").write_bytes(b"\0\xffx/home/me/build/src/init.c\0")
    assert (("/file", "/home/me"),) == host_names.search(["/home/me"], {}, tmp_path)


@pytest.mark.parametrize("text", ["on box.", "me@box", "box.example.invalid", "box"])
def test_a_name_matches_as_a_word(tmp_path: Path, text: str) -> None:
    """A host name ends at a dot, a space or the end of the text."""
    assert (("header BUILDHOST", "box"),) == host_names.search(
        ["box"], {"BUILDHOST": text}, tmp_path
    )


@pytest.mark.parametrize("text", ["toolbox", "boxes", "box-2", "my_box", "Box"])
def test_a_name_does_not_match_inside_another(tmp_path: Path, text: str) -> None:
    """A longer word is another word."""
    assert () == host_names.search(["box"], {"BUILDHOST": text}, tmp_path)


def test_path_names_count(tmp_path: Path) -> None:
    """A folder may have the name of the host."""
    (tmp_path / "box").mkdir()
    assert (("name of /box", "box"),) == host_names.search(["box"], {}, tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """The target of a link is not in the package."""
    outside = tmp_path / "outside"
    outside.write_text("box")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(outside)
    assert () == host_names.search(["box"], {}, tmp_path / "root")


def test_empty_names_are_ignored(tmp_path: Path) -> None:
    """An empty name would match everywhere."""
    (tmp_path / "file").write_text("text")
    assert (("/file", "text"),) == host_names.search(["", "text"], {}, tmp_path)
