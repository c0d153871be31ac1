"""`payload`: the unpacked files of a package, by their installed paths."""

from pathlib import Path

from pipeline.inspect import payload


def test_entries_have_installed_paths_in_order(tmp_path: Path) -> None:
    """Folders and links count as entries; the order is that of the paths."""
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "b").touch()
    (tmp_path / "usr" / "a").symlink_to("b")
    paths = [path for path, _ in payload.entries(tmp_path)]
    assert ["/usr", "/usr/a", "/usr/b"] == paths


def test_texts_are_what_is_not_binary(tmp_path: Path) -> None:
    """Also with invalid UTF-8; libraries, links and folders are none."""
    (tmp_path / "a.pc").write_text("Libs: -la\n")
    (tmp_path / "a.cmake").write_bytes(b"\xff\n")
    (tmp_path / "b.pc").symlink_to("a.pc")
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "a.so").write_bytes(b"\x7fELF\0")
    (tmp_path / "folder").mkdir()
    texts = {"/a.pc": "Libs: -la\n", "/a.cmake": "\ufffd\n", "/tool": "#!/bin/sh\n"}
    assert texts == payload.texts(tmp_path)
