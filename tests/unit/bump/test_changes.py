"""Changes that must be accepted by name, and the message about them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.bump import changes
from pipeline.bump.changes import Change
from pipeline.bump.source_tree import Tree
from pipeline.model import Plan
from pipeline.model.errors import BumpError, RequestError

PATHS = [
    "/usr/include/mimalloc-2.0/mimalloc.h",
    "/usr/lib64/libmimalloc.so",
    "/usr/lib64/libmimalloc.so.2",
    "/usr/lib64/libmimalloc.so.2.0",
]


@pytest.mark.parametrize(
    ("changed", "name", "evidence"),
    [
        (
            {"soname": "libmimalloc.so.3"},
            "soname",
            "libmimalloc.so.2 in 2.0.6, libmimalloc.so.3 now",
        ),
        ({"licence": "sha256:1"}, "licence", "/x/LICENSE: sha256:1"),
        ({"cmake": "3.18"}, "cmake", "3.9 or newer for 2.0.6, 3.18 or newer now"),
        ({"cmake": "3.8"}, "", ""),
        ({}, "", ""),
    ],
)
def test_what_a_tree_shows_by_itself(
    real_plan: Plan, changed: dict[str, Any], name: str, evidence: str
) -> None:
    """The soname, the licence, a newer cmake: 3.9 is older than 3.18, and an older one is none."""
    package, old = real_plan.package, real_plan.recipe
    tree = Tree("", 209, "libmimalloc.so.2", "libmimalloc.so.2.0", "3.9", package.license_text)
    found = list(changes.of_tree(package, old, "3.9", replace(tree, **changed), Path("/x")))

    assert [name] * bool(name) == [change.name for change in found]
    assert not name or evidence in found[0].evidence.splitlines()


def test_versions_in_paths_are_no_change(real_plan: Plan) -> None:
    """The folder of the line, the library's name and its soname differ from release to release."""
    old = real_plan.recipe
    new = replace(old, version="3.1.2", soname="libmimalloc.so.3", library="libmimalloc.so.3.1")
    paths = [path.replace("so.2.0", "so.3.1").replace("so.2", "so.3") for path in PATHS]
    paths = [path.replace("mimalloc-2.0", "mimalloc-3.1") for path in paths]

    assert changes.neutral(PATHS, old) == changes.neutral(paths, new)
    assert 4 == len(set(changes.neutral(PATHS, old)))


def test_paths_that_come_and_go_are_a_change() -> None:
    """One line for each path, with all dists that it comes to or goes from."""
    old = {"el7": ["a", "b"], "el8": ["a", "b"]}
    (change,) = changes.of_files(old, {"el7": ["a", "c"], "el8": ["a", "b", "c"]})

    assert ["- b    (el7)", "+ c    (el7, el8)"] == change.evidence.splitlines()
    assert [] == list(changes.of_files(old, old))


def test_a_library_that_comes_is_a_change() -> None:
    """One that goes is not."""
    old = ["libc.so.6", "libpthread.so.0"]
    (change,) = changes.of_libraries(old, ["libc.so.6", "libatomic.so.1"])

    assert "libatomic.so.1" == change.evidence
    assert [] == list(changes.of_libraries(old, old[:1]))


def test_a_setting_that_comes_goes_or_has_another_default_is_a_change() -> None:
    """Those that the library calls deprecated have no effect."""
    old = {"MIMALLOC_A": "1", "MIMALLOC_B": "0", "MIMALLOC_C": "5", "MIMALLOC_DEPRECATED_D": "1"}
    (change,) = changes.of_settings(old, {"MIMALLOC_B": "2", "MIMALLOC_C": "5", "MIMALLOC_E": "0"})

    lines = ["MIMALLOC_A: 1 -> none", "MIMALLOC_B: 0 -> 2", "MIMALLOC_E: none -> 0"]
    assert lines == change.evidence.splitlines()
    assert [] == list(changes.of_settings(old, old))


@pytest.mark.parametrize("name", changes.FOLLOWS)
def test_the_message_about_a_change_has_its_effect_on_users(name: str) -> None:
    """And the flag that accepts it; with the flag nothing is raised."""
    change = Change(name, "one\ntwo")
    with pytest.raises(BumpError) as caught:
        changes.refuse("2.4.1", [change], (), "invoke bump --version 2.4.1")

    detail = " ".join(caught.value.detail.split())
    assert f"{name}: one two so: {changes.FOLLOWS[name]}" == detail
    assert f"invoke bump --version 2.4.1 --accept {name}\n" in caught.value.hint
    changes.refuse("2.4.1", [change], {name}, "")


def test_unknown_accepted_names_are_refused() -> None:
    """A misspelt name accepts nothing."""
    assert {"files", "soname"} == changes.names("files, soname,")
    with pytest.raises(RequestError, match="unknown filez"):
        changes.names("files,filez")
