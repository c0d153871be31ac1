"""`publish.page`: the text of the page and of the `.repo` files."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.publish import inventory, page
from pipeline.publish.key import Key
from pipeline.publish.page import Context

NAMES = (
    "mimalloc-custom-3.4.3-1.el8.x86_64.rpm",
    "mimalloc-custom-9.0.1-1.el8.x86_64.rpm",
    "mimalloc-custom-secure-3.4.3-1.el8.x86_64.rpm",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with packages of el8."""
    folder = tmp_path / "el8" / "x86_64"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(name)
    return tmp_path


@pytest.fixture
def context(project: Path, tree: Path, key: Key) -> Context:
    """The context of a page; 9.0.1 has no recipe any more."""
    items = tuple(inventory.read(tree / "el8" / "x86_64" / name) for name in NAMES)
    url = "https://packages.example.org/m"
    return Context(project, load.package(project), key, url, {("el8", "x86_64"): items})


def write(context: Context, tree: Path) -> None:
    """Writes the texts into a tree."""
    for name, text in page.texts(context).items():
        (tree / name).write_text(text)


def test_each_line_has_a_repo_file(context: Context, tree: Path) -> None:
    """Also a line without a recipe; a dist without packages is not mentioned."""
    write(context, tree)

    assert {"mimalloc-custom-v3.repo", "mimalloc-custom-v9.repo"} == {
        file.name for file in tree.glob("*/*.repo")
    }
    text = (tree / "el8" / "mimalloc-custom-v3.repo").read_text()
    assert "includepkgs=mimalloc-custom-3.* mimalloc-custom-secure-3.*\n" in text
    assert "(libmimalloc.so.3)" in text
    assert "source" not in text
    assert "debug" not in text
    html = (tree / "index.html").read_text()
    assert 'id="el8"' in html
    assert 'id="el7"' not in html
    assert "public key\n" == (tree / context.key_file).read_text()


def test_debug_information_has_a_section_of_its_own(context: Context, tree: Path) -> None:
    """Disabled, under the name that `dnf debuginfo-install` enables; each line has its own."""
    item = inventory.read(
        tree / "el8/x86_64-debug/mimalloc-custom-debuginfo-3.4.3-1.el8.x86_64.rpm"
    )
    item.file.parent.mkdir()
    item.file.write_text("debug")
    both = {**context.inventory, ("el8", "x86_64-debug"): (item,)}
    write(replace(context, inventory=both), tree)

    text = (tree / "el8" / "mimalloc-custom-v3.repo").read_text()
    _, section = text.split("\n[mimalloc-custom-debuginfo]\n")
    assert "baseurl=https://packages.example.org/m/el8/$basearch-debug/\nenabled=0\n" in section
    assert "gpgcheck=1\nrepo_gpgcheck=1\n" in section
    assert " mimalloc-custom-debuginfo-3.* " in section
    html = (tree / "index.html").read_text()
    assert '<p class="dim">x86_64; C library' in html
    assert "el8/x86_64-debug/mimalloc-custom-debuginfo" in html


def test_lines_are_sorted_by_number(context: Context, tree: Path) -> None:
    """v10 is newer than v9."""
    name = "mimalloc-custom-10.0.0-1.el8.x86_64.rpm"
    (tree / "el8" / "x86_64" / name).write_text(name)
    items = (*context.inventory["el8", "x86_64"], inventory.read(tree / "el8" / "x86_64" / name))
    write(replace(context, inventory={("el8", "x86_64"): items}), tree)

    text = (tree / "index.html").read_text()
    positions = [text.index(context.repo_file(line)) for line in ("v10", "v9", "v3")]
    assert sorted(positions) == positions


def test_the_owner_of_a_key_is_escaped(context: Context, tree: Path) -> None:
    """It is any text."""
    owner = "<script>alert(1)</script> & Co"
    write(replace(context, key=replace(context.key, owner=owner)), tree)

    text = (tree / "index.html").read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co" in text


def test_every_line_of_a_repo_file_is_a_setting(context: Context, tree: Path) -> None:
    """Or a section, a comment, an empty line."""
    write(context, tree)

    for file in tree.glob("*/*.repo"):
        for line in file.read_text().splitlines():
            assert not line or line[0] in "#[" or line.count("=") == 1, line


def test_a_second_key_is_served(context: Context, tree: Path) -> None:
    """In the same file, after the one that signs; the page has both fingerprints."""
    second = replace(context.key, fingerprint="F" * 40, public="second key\n")
    write(replace(context, second=second), tree)

    assert "public key\nsecond key\n" == (tree / context.key_file).read_text()
    html = (tree / "index.html").read_text()
    assert html.index(context.key.fingerprint) < html.index("F" * 40)


def test_withdrawn_releases_are_listed(context: Context, tree: Path) -> None:
    """With the reason, which is any text; also where nothing is served any more."""
    for packages in (context.inventory, {("el8", "x86_64"): ()}):
        withdrawn = {"3.4.2-1": "children <hang>"}
        write(replace(context, inventory=packages, withdrawn=withdrawn), tree)

        html = (tree / "index.html").read_text()
        assert "<li><strong>3.4.2-1</strong>: children &lt;hang&gt;</li>" in html
    assert 'id="el8"' not in html
