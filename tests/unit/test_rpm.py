"""`rpm`: the spec and the settings that rpmbuild is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pipeline import process, request, rpm
from pipeline.errors import HostError, PackageError
from pipeline.model import Change, Folders, Plan
from pipeline.report import Report
from pipeline.workspace import Site
from tests.unit import release

PREFIX = "/usr/local/nginx-dep"
FILES = ("include/mimalloc-2.0/mimalloc.h", "lib64/libmimalloc.so.2.0")
LINKS = {"libmimalloc.so.2": "libmimalloc.so.2.0", "libmimalloc.so": "libmimalloc.so.2"}
FOLDERS = ["", "/include", "/include/mimalloc-2.0", "/lib64"]


@pytest.fixture
def site(checkout: Path, room: Callable[..., Site]) -> Site:
    """The rooms up to this step, with a few files staged."""
    site = room("stage", "package")
    for name in FILES:
        file = site.stage / PREFIX.lstrip("/") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for name, target in LINKS.items():
        (site.stage / PREFIX.lstrip("/") / "lib64" / name).symlink_to(target)
    return site


def _spec(plan: Plan, site: Site) -> str:
    return rpm.render(plan, site.workspace.root, site.stage)


def _section(spec: str, name: str) -> list[str]:
    """The lines of one section, without the blank ones and the comments."""
    found = re.search(rf"^%{name}\b.*\n((?:(?!%(?:files|postun|changelog)\b).*\n)*)", spec, re.M)
    assert found, name
    return [line for line in found[1].splitlines() if line and not line.startswith("#")]


def _with_folders(plan: Plan, folders: Folders) -> Plan:
    return release.recast(plan, folders=folders)


# --- the spec ------------------------------------------------------------------------------------


def test_spec_is_of_the_plan(plan: Plan, site: Site) -> None:
    """Name, version, release with its dist tag, and a licence."""
    spec = _spec(plan, site)
    tags = dict(re.findall(r"^(\w+):\s+(.*)$", spec, re.MULTILINE))

    assert ("mimalloc-custom", "2.0.6", "1.el7") == (tags["Name"], tags["Version"], tags["Release"])
    assert ("MIT", plan.package.url) == (tags["License"], tags["URL"])
    assert "mimalloc-custom-2.0.6 for centminmod.com LEMP stack installs" == tags["Summary"]
    assert "\n%description\nmimalloc-custom-2.0.6 for centminmod.com LEMP stacks\n" in spec


def test_spec_leaves_nothing_to_be_filled_in(plan: Plan, site: Site) -> None:
    """No brace of the template is left, and the file ends with a line end."""
    spec = _spec(plan, site)

    assert not re.search(r"\{\{|\}\}|\{%|%\}", spec)
    assert spec.endswith("\n")


def test_spec_is_the_same_twice(plan: Plan, site: Site) -> None:
    """No set order, no clock."""
    assert _spec(plan, site) == _spec(plan, site)


def test_library_is_a_program_file(plan: Plan, site: Site) -> None:
    """The library alone has the mode that makes rpm look into it; links have none."""
    lines = _section(_spec(_with_folders(plan, "swept"), site), "files")

    assert [
        "%defattr(0644,root,root,0755)",
        f'%attr(0644,root,root) "{PREFIX}/include/mimalloc-2.0/mimalloc.h"',
        f'"{PREFIX}/lib64/libmimalloc.so"',
        f'"{PREFIX}/lib64/libmimalloc.so.2"',
        f'%attr(0755,root,root) "{PREFIX}/lib64/libmimalloc.so.2.0"',
    ] == lines


def test_owned_folders_are_listed(plan: Plan, site: Site) -> None:
    """A package that owns its folders leaves none behind, and needs no program for that."""
    spec = _spec(_with_folders(plan, "owned"), site)
    lines = [line for line in _section(spec, "files") if line.startswith("%dir")]

    assert [f'%dir %attr(0755,root,root) "{PREFIX}{folder}"' for folder in FOLDERS] == lines
    assert "%postun" not in spec


def test_swept_folders_are_removed_from_the_deepest_up(plan: Plan, site: Site) -> None:
    """A package whose list is fixed removes its folders inside rpm, if they are empty."""
    spec = _spec(_with_folders(plan, "swept"), site)

    assert "%dir" not in spec
    assert "%postun -p <lua>" in spec
    assert [f'posix.rmdir("{PREFIX}{folder}")' for folder in reversed(FOLDERS)] == _section(
        spec, "postun"
    )


def test_link_to_a_folder_is_a_file(plan: Plan, site: Site) -> None:
    """A link is packed as a link, whatever it leads to."""
    link = site.stage / PREFIX.lstrip("/") / "lib"
    link.symlink_to("lib64")
    spec = _spec(_with_folders(plan, "owned"), site)

    assert f'%dir %attr(0755,root,root) "{PREFIX}/lib"' not in spec
    assert f'"{PREFIX}/lib"\n' in spec


def test_changelog_is_the_recipes(plan: Plan, site: Site) -> None:
    """From the newest entry down, in rpm's own form and language."""
    changes = (
        Change(2, date(2026, 12, 1), ("Second", "More")),
        Change(1, date(2026, 11, 23), ("First",)),
    )
    spec = _spec(release.recast(plan, changelog=changes), site)
    lines = _section(spec, "changelog")

    who = re.escape(plan.package.packager)
    assert re.fullmatch(rf"\* Tue Dec 01 2026 {who} - 2\.0\.6-2(\.el7)?", lines[0])
    assert ["- Second", "- More"] == lines[1:3]
    assert re.fullmatch(rf"\* Mon Nov 23 2026 {who} - 2\.0\.6-1(\.el7)?", lines[3])
    assert "\nRelease:        2.el7\n" in spec


def test_template_with_an_unknown_word(plan: Plan, site: Site) -> None:
    """A slip in the template is no empty field."""
    template = site.workspace.root / rpm.SPEC
    template.write_text("Name: {{ package.name }}\n{{ nonsense }}\n")
    with pytest.raises(UndefinedError, match="nonsense"):
        _spec(plan, site)

    template.write_text("Name: {{ package.name }}\n")
    assert "Name: mimalloc-custom\n" == _spec(plan, site)


# --- rpmbuild ------------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, object]]]:
    """What rpmbuild is asked, with its environment; it is not run."""
    seen: list[tuple[list[str], dict[str, object]]] = []

    def run(argv: list[object], **how: object) -> None:
        seen.append(([str(word) for word in argv], how))

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process, "read", lambda *_, **__: "/usr/lib/rpm\n")
    return seen


def _macros(site: Site) -> dict[str, str]:
    lines = (site.room("package") / "macros").read_text().splitlines()
    return dict(line.removeprefix("%").split(" ", 1) for line in lines)


def test_rpmbuild_is_given_all_it_reads(
    plan: Plan, site: Site, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """Neither the user's nor the host's macro files are read, and ours come last."""
    rpm.run(plan, site, Report())
    ((argv, how),) = calls
    read = argv[argv.index("--macros") + 1].split(":")

    assert ["rpmbuild", "-bb"] == argv[:2]
    assert "x86_64" == argv[argv.index("--target") + 1]
    assert "prebuilt" == argv[argv.index("--with") + 1]
    assert ["/usr/lib/rpm/macros", "/usr/lib/rpm/platform/x86_64-linux/macros"] == read[:2]
    assert "macros" == read[-1]
    assert {name for name in read if name.startswith("fileattrs/")} == {
        f"fileattrs/{file.name}" for file in (site.workspace.root / rpm.ATTRIBUTES).iterdir()
    }
    assert how["env"] == {
        "HOME": str(site.room("package")),
        "SOURCE_DATE_EPOCH": str(int(plan.recipe.released.timestamp())),
    }
    assert PackageError is how["error"]


def test_macros_are_ours_and_the_build_roots(
    plan: Plan, site: Site, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """Places in the room, the package's settings, then the dist's, which overrule them."""
    rpm_of_dist = replace(plan.root.rpm, macros={"debug_package": "mine", "_x": "w9.xzdio"})
    rpm.run(replace(plan, root=replace(plan.root, rpm=rpm_of_dist)), site, Report())
    found = _macros(site)

    assert (str(site.packages), str(site.stage)) == (found["_rpmdir"], found["staged"])
    assert ("mine", "w9.xzdio") == (found["debug_package"], found["_x"])
    assert plan.package.build_host == found["_buildhost"]
    for name in ("_topdir", "_tmppath", "_dbpath", "_fileattrsdir"):
        assert Path(found[name]).is_relative_to(site.room("package"))
    assert len(calls) == 1


def test_percent_in_a_folders_name_is_no_macro(
    plan: Plan, site: Site, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """A checkout may be called `100%{dist}`."""
    odd = site.workspace.root.parent / "100%{dist}"
    site.workspace.root.rename(odd)
    moved = replace(site, workspace=replace(site.workspace, root=odd))
    rpm.run(plan, moved, Report())

    assert str(moved.packages).replace("%", "%%") == _macros(moved)["_rpmdir"]
    assert len(calls) == 1


def _architectures(site: Site, argv: list[str]) -> list[str]:
    """What rpmbuild is told of architectures, after what its own file tells."""
    own, ours = argv[argv.index("--rcfile") + 1].split(":")
    assert "/usr/lib/rpm/rpmrc" == own
    return (site.room("package") / ours).read_text().splitlines()


@pytest.mark.parametrize(
    ("dist", "arch"),
    [("el7", "x86_64"), ("el10", "x86_64"), ("el7", "aarch64"), ("el10", "aarch64")],
)
def test_rpm_knows_the_kinds_of_processors_itself(
    project: Path,
    site: Site,
    calls: list[tuple[list[str], dict[str, object]]],
    dist: str,
    arch: str,
) -> None:
    """Nothing is added to what its own file says of them."""
    rpm.run(request.plan(project, "2.0.6", dist, arch), site, Report())
    ((argv, _),) = calls

    assert [] == _architectures(site, argv)
    assert arch == argv[argv.index("--target") + 1]


def test_rpm_is_told_of_an_architecture_that_it_may_not_know(
    project: Path, site: Site, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """An rpm before 4.19 takes x86_64_v2 for what x86_64 is: number, colour and macros."""
    rpm.run(request.plan(project, "2.0.6", "el10", "x86_64_v2"), site, Report())
    ((argv, _),) = calls

    assert [
        "arch_canon: x86_64_v2: x86_64 1",
        "buildarchtranslate: x86_64_v2: x86_64",
        "arch_compat: x86_64_v2: x86_64 noarch",
        "buildarch_compat: x86_64: x86_64_v2",
        "buildarch_compat: x86_64_v2: noarch",
        "archcolor: x86_64_v2 2",
    ] == _architectures(site, argv)
    assert "x86_64_v2" == argv[argv.index("--target") + 1]
    assert "/usr/lib/rpm/platform/x86_64-linux/macros" in argv[argv.index("--macros") + 1]
    assert "x86_64_v2-redhat-linux-gnu" == _macros(site)["_target_platform"]


def test_a_flavor_has_a_spec_of_its_own(
    project: Path, site: Site, calls: list[tuple[list[str], dict[str, object]]]
) -> None:
    """Named and described by its own name; its library has the library's mode, its links none."""
    plan = request.plan(project, "3.4.3", "el8", "x86_64", "secure")
    folder = site.stage / PREFIX.lstrip("/") / "lib64"
    (folder / "libmimalloc-secure.so.3.4").touch()
    (folder / "libmimalloc-secure.so.3").symlink_to("libmimalloc-secure.so.3.4")
    rpm.run(plan, site, Report())
    ((argv, _),) = calls
    spec = Path(argv[-1]).read_text()

    assert "mimalloc-custom-secure.spec" == Path(argv[-1]).name
    assert "\nName:           mimalloc-custom-secure\n" in spec
    assert "\n%description\nmimalloc-custom-secure-3.4.3 for centminmod.com" in spec
    lines = _section(spec, "files")
    assert f'%attr(0755,root,root) "{PREFIX}/lib64/libmimalloc-secure.so.3.4"' in lines
    assert f'"{PREFIX}/lib64/libmimalloc-secure.so.3"' in lines


@pytest.fixture
def unasked() -> Iterator[None]:
    """Forgets the version that rpmbuild has told, before a test and after it."""
    rpm.version.cache_clear()
    yield
    rpm.version.cache_clear()


@pytest.mark.usefixtures("unasked")
def test_rpmbuild_tells_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word of what it prints is its version."""
    monkeypatch.setattr(process, "read", lambda *_, **__: "RPM version 4.18.0\n")

    assert "4.18.0" == rpm.version()


@pytest.mark.usefixtures("unasked")
def test_host_without_rpmbuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing program is named, and how to see what else is missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="rpmbuild cannot be started") as caught:
        rpm.version()

    assert "invoke doctor" == caught.value.hint
