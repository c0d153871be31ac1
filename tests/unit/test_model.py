"""`model`: the little that the words of the trade work out by themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import PurePosixPath

import pytest

from pipeline.model import Change, Finding, Plan, Source
from tests.unit import release


@pytest.mark.parametrize(
    ("source", "kind", "reference"),
    [
        (Source("0", url="https://x.invalid/a"), "url", "https://x.invalid/a"),
        (Source("0", sdist="name==1"), "sdist", "name==1"),
        (Source("0", debian="name=1-2"), "debian", "name=1-2"),
    ],
)
def test_source_knows_its_kind(source: Source, kind: str, reference: str) -> None:
    """The kind of a source is the field that is set."""
    assert (kind, reference) == (source.kind, source.reference)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("CMakeLists.txt", True),
        ("src/prim/unix/prim.c", True),
        ("srcs/a.c", False),
        ("test/CMakeLists.txt", False),
        ("src", False),
        ("LICENSE.txt", False),
    ],
)
def test_package_knows_what_a_build_reads(plan: Plan, path: str, read: bool) -> None:
    """A file counts by its whole name, a folder by its beginning."""
    assert read is plan.package.reads(PurePosixPath(path))


def test_plan_names_its_package(plan: Plan) -> None:
    """The release number is that of the newest changelog entry, the dist tag the build root's."""
    change = Change(release=7, date=plan.recipe.changelog[0].date, notes=("x",))
    bumped = release.recast(plan, changelog=(change, *plan.recipe.changelog))

    assert "mimalloc-custom-2.0.6-7.el7.x86_64" == bumped.nevra
    assert "2.0.6 el7 x86_64" == bumped.label


def test_plan_knows_the_links_of_its_library(plan: Plan) -> None:
    """The development link leads to the soname, the soname to the file."""
    folder = "/usr/local/nginx-dep/lib64"

    assert PurePosixPath(folder, "libmimalloc.so.2.0") == plan.library
    assert {
        f"{folder}/libmimalloc.so.2": "libmimalloc.so.2.0",
        f"{folder}/libmimalloc.so": "libmimalloc.so.2",
    } == plan.links


def test_plan_takes_the_demands_of_its_architecture(plan: Plan) -> None:
    """The machine is the build root's entry for the plan's architecture."""
    assert plan.root.machine["x86_64"] is plan.machine


def test_model_cannot_be_changed(plan: Plan) -> None:
    """What a step is given stays what it was."""
    with pytest.raises(FrozenInstanceError):
        plan.arch = "aarch64"  # type: ignore[misc]

    assert "aarch64" == replace(plan, arch="aarch64").arch


def test_finding_fits_on_a_line() -> None:
    """Which check, about what, expected and got."""
    finding = Finding("floor", "memcpy", "GLIBC_2.17 at most", "GLIBC_2.33")

    assert ["floor: memcpy: expected GLIBC_2.17 at most, got GLIBC_2.33"] == finding.lines()


def test_finding_shows_longer_evidence_below() -> None:
    """Evidence of several lines keeps its lines."""
    finding = Finding("files", "listing", "as in the manifest", "-/a\n+/b")

    told = "files: listing: expected as in the manifest, got:"
    assert [told, "  -/a", "  +/b"] == finding.lines()
