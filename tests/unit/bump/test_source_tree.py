"""What is read from the tree of a release."""

import tarfile
from pathlib import Path

import pytest

from pipeline.bump import source_tree
from pipeline.config import load
from pipeline.model.errors import UnpackError, VerifyError
from tests.unit import release
from tests.unit.bump import upstream


def _tree(folder: Path, version: str, **changed: str) -> Path:
    folder.mkdir()
    return release.unfold(folder, upstream.tree(version, **changed))


@pytest.mark.parametrize(
    ("version", "number"),
    [("2.0.6", 206), ("3.2.8", 3208), ("2.4.1", 20401), ("3.0.10", 3010), ("1.9.10", 10910)],
)
def test_the_ways_in_which_upstream_writes_a_version_as_a_number(
    tmp_path: Path, version: str, number: int
) -> None:
    """There have been three; the library's numbers are those of the version."""
    header = f"#define MI_MALLOC_VERSION {number}   // x\n"
    tree = source_tree.read(
        _tree(tmp_path / "tree", version, **{"include/mimalloc.h": header}), version, "lib.so"
    )
    major, minor, _ = version.split(".")

    assert (number, f"lib.so.{major}", f"lib.so.{major}.{minor}") == (
        tree.mi_version,
        tree.soname,
        tree.library,
    )


@pytest.mark.parametrize(("version", "number"), [("3.4.2", 30401), ("3.0.7", 306)])
def test_a_tag_on_another_release_is_refused(tmp_path: Path, version: str, number: int) -> None:
    """Upstream has had both cases."""
    header = f"#define MI_MALLOC_VERSION {number}\n"
    tree = _tree(tmp_path / "tree", version, **{"include/mimalloc.h": header})

    with pytest.raises(VerifyError) as caught:
        source_tree.read(tree, version, "lib.so")
    assert str(number) == caught.value.got


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("MIT License\nCopyright (c) 2018-2025 A, B\n", True),
        ("MIT License Copyright (c) 2018, 2019-2026 A, B", True),
        ("MIT License\nCopyright (c) 2018 A, C\n", False),
        ("MIT License\nCopyright (c) 2018 A, B\nBut not on 2 days\n", False),
        ("", False),
    ],
)
def test_a_new_year_is_no_new_licence(tmp_path: Path, text: str, same: bool) -> None:
    """Nor are other line breaks; another word is one."""
    expected = source_tree.licence_of("MIT License\n\nCopyright (c) 2018-2021 A, B\n")
    tree = source_tree.read(_tree(tmp_path / "tree", "2.2.9", LICENSE=text), "2.2.9", "lib.so")

    assert same == (expected == tree.licence)
    assert "3.18" == tree.cmake


@pytest.mark.parametrize("content", [b"", b"no archive", release.tarball()])
def test_an_archive_that_git_has_not_packed_has_no_commit(
    tmp_path: Path, project: Path, content: bytes
) -> None:
    """Nor has what is no archive."""
    file = tmp_path / "archive"
    file.write_bytes(content)

    assert ("", None) == source_tree.commit_of(file, load.package(project))


def _packed(file: Path, comment: str, mtime: str) -> Path:
    member = tarfile.TarInfo("file")
    member.pax_headers = {"mtime": mtime}
    headers = {"comment": comment}
    with tarfile.open(file, "w:gz", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        tar.addfile(member)
    return file


@pytest.mark.parametrize("mtime", ["inf", "nan", "1e300", "-1e300", "99999999999999"])
def test_a_time_that_no_clock_has_is_none(tmp_path: Path, project: Path, mtime: str) -> None:
    """Whoever packs an archive chooses it."""
    file, package = tmp_path / "archive", load.package(project)

    assert "a" * 40 == source_tree.commit_of(_packed(file, "a" * 40, "1"), package)[0]
    assert ("", None) == source_tree.commit_of(_packed(file, "a" * 40, mtime), package)


def test_a_comment_without_end_is_not_read(tmp_path: Path, project: Path) -> None:
    """It is a header, which tarfile keeps in memory, and a few KiB pack gigabytes."""
    file = _packed(tmp_path / "archive", "a" * (1 << 20), "1")
    with pytest.raises(UnpackError, match="too large"):
        source_tree.commit_of(file, load.package(project))
