"""`model`: the properties that are computed."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path, PurePosixPath

import pytest

from pipeline.build import selection
from pipeline.model import Finding, Plan, Selection, Source, holds
from pipeline.model.recipe import Change
from tests.unit import release


@pytest.mark.parametrize(
    ("source", "kind", "reference"),
    [
        (Source("0", url="https://x.invalid/a"), "url", "https://x.invalid/a"),
        (Source("0", sdist="name==1"), "sdist", "name==1"),
        (Source("0", debian="name=1-2"), "debian", "name=1-2"),
    ],
)
def test_source_has_a_kind(source: Source, kind: str, reference: str) -> None:
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
def test_package_has_the_paths_that_a_build_reads(plan: Plan, path: str, read: bool) -> None:
    """A file matches by its path, a folder by a prefix."""
    assert read is holds(plan.package.identity, PurePosixPath(path))


def test_plan_names_its_package(plan: Plan) -> None:
    """The release number is that of the newest changelog entry, the dist tag the build root's."""
    change = Change(release=7, date=plan.recipe.changelog[0].date, notes=("x",))
    bumped = release.recast(plan, changelog=(change, *plan.recipe.changelog))

    assert "mimalloc-custom-2.0.6-7.el7.x86_64" == bumped.nevra
    assert "2.0.6 el7 x86_64" == bumped.label


def test_plan_has_the_links_of_its_library(plan: Plan) -> None:
    """The development link leads to the soname, the soname to the file."""
    folder = "/usr/local/nginx-dep/lib64"

    assert PurePosixPath(folder, "libmimalloc.so.2.0") == plan.library
    assert {
        f"{folder}/libmimalloc.so.2": "libmimalloc.so.2.0",
        f"{folder}/libmimalloc.so": "libmimalloc.so.2",
    } == plan.links


def test_plain_packages_have_no_suffix(plan: Plan) -> None:
    """The plain flavor is in no name."""
    assert ("plain", "mimalloc-custom", "mimalloc") == (plan.variant, plan.name, plan.base)
    assert f"{plan.nevra}.rpm" == plan.file_name
    assert "mimalloc-custom-2.0.6 for centminmod.com LEMP stacks" == plan.description


def test_a_flavor_is_in_every_name(project: Path) -> None:
    """Package, file, soname, library, links, base name, and the label."""
    plan = selection.plan(project, "2.0.6", "el7", "x86_64", "secure")
    folder = "/usr/local/nginx-dep/lib64"

    assert "mimalloc-custom-secure" == plan.name
    assert "mimalloc-custom-secure-2.0.6-1.el7.x86_64" == plan.nevra
    assert "mimalloc-custom-secure-2.0.6-1.el7.x86_64.rpm" == plan.file_name
    assert "2.0.6 el7 x86_64 secure" == plan.label
    assert "libmimalloc-secure.so.2" == plan.soname
    assert PurePosixPath(folder, "libmimalloc-secure.so.2.0") == plan.library
    assert {
        f"{folder}/libmimalloc-secure.so.2": "libmimalloc-secure.so.2.0",
        f"{folder}/libmimalloc-secure.so": "libmimalloc-secure.so.2",
    } == plan.links
    assert "mimalloc-secure" == plan.base
    assert PurePosixPath(folder, "mimalloc-2.0") == plan.objects
    assert "mimalloc-custom-secure-2.0.6 for centminmod.com LEMP stack installs" == plan.summary


def test_flavors_share_the_rest_of_the_plan(project: Path) -> None:
    """Recipe, build root, machine and compiler are the same."""
    plain, secure = selection.plans(
        project, Selection(version="3.4.3", dist="el10", flavor="plain,secure")
    )

    assert plain == replace(secure, flavor=plain.flavor, variant=plain.variant)
    assert (plain.target, plain.platform, plain.release) == (
        secure.target,
        secure.platform,
        secure.release,
    )


@pytest.mark.parametrize(
    ("version", "level", "guards", "options"),
    [
        ("2.2.4", 4, "segments", {"MI_SECURE": "ON"}),
        ("2.4.1", 5, "segments", {"MI_SECURE": "ON", "MI_SECURE_FULL": "ON"}),
        ("3.2.8", 4, "pages", {"MI_SECURE": "ON"}),
        ("3.4.3", 5, "pages", {"MI_SECURE": "ON", "MI_SECURE_FULL": "ON"}),
    ],
)
def test_a_release_changes_a_flavor(
    project: Path, version: str, level: int, guards: str, options: dict[str, str]
) -> None:
    """Its level, what it guards, and its options; the other flavor stays as it is of all."""
    plain, secure = selection.plans(project, Selection(version=version, flavor="plain,secure"))

    assert (level, guards) == (secure.flavor.level, secure.flavor.guards)
    assert options == secure.flavor.cmake
    assert options == {key: secure.options[key] for key in options}
    assert plain.package.flavor["plain"] == plain.flavor
    assert "MI_SECURE_FULL" not in plain.options


@pytest.mark.parametrize(
    ("dist", "arch", "target"),
    [
        ("el7", "x86_64", "x86_64-linux-gnu.2.17"),
        ("el8", "x86_64", "x86_64-linux-gnu.2.28"),
        ("el8", "aarch64", "aarch64-linux-gnu.2.17"),
        ("el9", "aarch64", "aarch64-linux-gnu.2.34"),
        ("el10", "x86_64_v2", "x86_64-linux-gnu.2.39"),
    ],
)
def test_plan_has_a_target(project: Path, dist: str, arch: str, target: str) -> None:
    """With the C library floor of the machine, or else that of the dist."""
    plan = selection.plan(project, "2.0.6", dist, arch)

    assert target == plan.target


def test_libraries_of_the_machine_are_added(project: Path) -> None:
    """On aarch64, a library may need the loader."""
    here, there = (selection.plan(project, "2.0.6", "el9", arch) for arch in ("x86_64", "aarch64"))

    assert here.root.libraries == here.libraries
    assert (*there.root.libraries, "ld-linux-aarch64.so.1") == there.libraries


def test_plan_has_its_architecture_and_not_its_processor(project: Path) -> None:
    """In the name of the package, and in its platform tag."""
    plan = selection.plan(project, "2.0.6", "el10", "x86_64_v2")

    assert "mimalloc-custom-2.0.6-1.el10.x86_64_v2" == plan.nevra
    assert "x86_64_v2-redhat-linux-gnu" == plan.platform


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("include/a.h", True),
        ("include", False),
        ("includes/a.h", False),
        ("lib64/x.pc", True),
        ("lib64/x.pc.in", False),
    ],
)
def test_a_listing_holds_files_and_what_is_below_its_folders(path: str, held: bool) -> None:
    """Folders end in a slash."""
    assert held is holds(("include/", "lib64/x.pc"), PurePosixPath(path))


def test_plan_takes_the_demands_of_its_architecture(plan: Plan) -> None:
    """The machine is the build root's entry for the plan's architecture."""
    assert plan.root.machine["x86_64"] is plan.machine


def test_model_cannot_be_changed(plan: Plan) -> None:
    """The classes are frozen."""
    with pytest.raises(FrozenInstanceError):
        plan.arch = "aarch64"  # type: ignore[misc]

    assert "aarch64" == replace(plan, arch="aarch64").arch


def test_finding_fits_on_a_line() -> None:
    """Check, subject, expected and got."""
    finding = Finding("floor", "memcpy", "GLIBC_2.17 at most", "GLIBC_2.33")

    assert ["floor: memcpy: expected GLIBC_2.17 at most, got GLIBC_2.33"] == finding.lines()


def test_finding_shows_longer_evidence_below() -> None:
    """Evidence of several lines has lines of its own."""
    finding = Finding("files", "listing", "as in the manifest", "-/a\n+/b")

    first = "files: listing: expected as in the manifest, got:"
    assert [first, "  -/a", "  +/b"] == finding.lines()
