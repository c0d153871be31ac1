"""Checks of paths, modes, times and links."""

from dataclasses import replace

import pytest

from pipeline.model import Flavor
from tests.unit.checks.case import Case
from tests.unit.checks.conftest import BUILD_ID_LINK, FOLDER, LIBRARY, LICENSE, SUBPACKAGE, entry


def test_a_path_too_many_is_found(good: Case) -> None:
    """The finding is a diff."""
    files = (*good.facts.header.files, entry("/opt/dep/more", 0o100644))
    (finding,) = good.with_header(files=files).findings()
    expected = "the 9 paths of the manifest of 1.2 el5 x86_64"
    assert ("manifest", good.facts.file_name) == (finding.check, finding.subject)
    assert expected == finding.expected
    assert [
        "--- manifest",
        "+++ package",
        "@@ -7,3 +7,4 @@",
        *(f" {path}" for path in good.facts.header.paths[-3:]),
        "+/opt/dep/more",
    ] == finding.got.splitlines()


def test_a_missing_path_is_found(good: Case) -> None:
    """The manifest is exact in both directions."""
    (finding,) = replace(good, manifest=(*good.manifest, "/opt/dep/more")).findings()
    assert "-/opt/dep/more" in finding.got.splitlines()


def test_another_order_is_found(good: Case) -> None:
    """The manifest is what ``rpm -qlp`` prints, line by line."""
    (finding,) = replace(good, manifest=good.manifest[::-1]).findings()
    assert "manifest" == finding.check


def test_the_build_id_is_that_of_the_library(good: Case) -> None:
    """Build-id paths that belong to another library differ from the manifest."""
    (finding,) = good.with_library(build_id="ff" * 20).findings()
    lines = finding.got.splitlines()
    assert "-/usr/lib/.build-id/ff" in lines
    assert "+/usr/lib/.build-id/ab" in lines


def test_without_a_library_there_is_no_build_id(good: Case) -> None:
    """The manifest has its paths without the build-id then."""
    finding, *_ = good.with_facts(library=None).findings()
    assert {"-/usr/lib/.build-id/", "-/usr/lib/.build-id//"} < set(finding.got.splitlines())


@pytest.mark.parametrize(
    ("path", "mode", "message"),
    [
        (f"{FOLDER}/mimalloc.pc", 0o100755, "expected 0644, got 0755"),
        (f"{FOLDER}/mimalloc.pc", 0o104644, "expected 0644, got 4644"),
        (LIBRARY, 0o100644, "expected 0755, got 0644"),
        ("/usr/lib/.build-id/ab", 0o040700, "expected 0755, got 0700"),
    ],
)
def test_another_mode_is_found(good: Case, path: str, mode: int, message: str) -> None:
    """Files, folders and the library have modes of their own; a set-uid bit counts."""
    assert [f"modes: mode of {path}: {message}"] == good.with_file(path, mode=mode).messages()


def test_a_device_is_found(good: Case) -> None:
    """A package of ours has files, folders and links only."""
    path = f"{FOLDER}/mimalloc.pc"
    (message,) = good.with_file(path, mode=0o020644).messages()
    assert f"modes: kind of {path}: expected a file, a folder or a link, got crw-r--r--" == message


@pytest.mark.parametrize(("name", "got"), [("user", "me:root"), ("group", "root:me")])
def test_another_owner_is_found(good: Case, name: str, got: str) -> None:
    """Whoever builds, root owns."""
    (message,) = good.with_file(LIBRARY, **{name: "me"}).messages()
    assert f"modes: owner of {LIBRARY}: expected root:root, got {got}" == message


@pytest.mark.parametrize("mtime", [999_999_999, 1_000_000_001])
def test_another_time_is_found(good: Case, mtime: int) -> None:
    """Every path is exactly as old as the release, folders and links too."""
    path = "/usr/lib/.build-id/ab"
    (message,) = good.with_file(path, mtime=mtime).messages()
    expected = "1000000000 (the time of the release)"
    assert f"modes: time of {path}: expected {expected}, got {mtime}" == message


def test_a_link_that_leads_elsewhere_is_found(good: Case) -> None:
    """The soname's link leads to the library, the linker's link to the soname."""
    path = f"{FOLDER}/libmimalloc.so"
    (message,) = good.with_file(path, link="libmimalloc.so.1.2").messages()
    expected = "expected a link to libmimalloc.so.1, got libmimalloc.so.1.2"
    assert f"links: {path}: {expected}" == message


def test_a_copy_in_place_of_a_link_is_found(good: Case) -> None:
    """A file of the soname's name would stay behind when the library is replaced."""
    path = f"{FOLDER}/libmimalloc.so.1"
    (message,) = good.with_file(path, mode=0o100644, link="").messages()
    assert f"links: {path}: expected a link to libmimalloc.so.1.2, got no link" == message


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (LIBRARY, "expected a relative link"),
        ("../../../../opt/none", "expected a link to a path of the package"),
        (f"../../../..{FOLDER}/mimalloc.pc", f"expected a link to {LIBRARY}"),
    ],
)
def test_a_build_id_link_leads_to_the_library(good: Case, target: str, message: str) -> None:
    """It is relative, does not dangle, and names the library that has the build-id."""
    (line,) = good.with_file(BUILD_ID_LINK, link=target).messages()
    assert line.startswith(f"links: {BUILD_ID_LINK}: {message}")


def test_a_text_that_is_not_marked_is_no_licence(good: Case) -> None:
    """`rpm -qL` and the tools of reviewers go by the mark."""
    (message,) = good.with_file(LICENSE, is_license=False).messages()
    assert f"license: {good.facts.file_name}: expected {LICENSE}, got none" == message


def test_a_second_licence_is_found(good: Case) -> None:
    """A file that is marked by mistake."""
    other = f"{FOLDER}/mimalloc.pc"
    (message,) = good.with_file(other, is_license=True).messages()
    assert f"license: {good.facts.file_name}: expected {LICENSE}, got {other}, {LICENSE}" == message


def test_where_the_file_list_is_fixed_the_sub_package_has_the_licence(good: Case) -> None:
    """A package whose list has no licence must not have one."""
    with_it = replace(good, plan=replace(good.plan, flavor=Flavor(subpackage=(SUBPACKAGE,))))
    (message,) = with_it.with_recipe(folders="swept").findings()[-1:]
    assert ("license", "none", LICENSE) == (message.check, message.expected, message.got)
    assert [] == with_it.findings()
