"""`spec`: one template, for what was staged and for a build by itself."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pipeline.build import selection
from pipeline.config import load
from pipeline.model import Flavor, Plan
from pipeline.model.recipe import Change
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import spec
from tests.unit import release
from tests.unit.staged import FOLDERS, PREFIX

LICENSED = (
    '%dir %attr(0755,root,root) "/usr/share/licenses/mimalloc-custom"',
    '%license %attr(0644,root,root) "/usr/share/licenses/mimalloc-custom/LICENSE"',
)


@pytest.fixture
def both(plan: Plan, real_plan: Plan) -> Plan:
    """A plan that makes a sub-package, too."""
    return replace(plan, flavor=real_plan.flavor)


@pytest.fixture
def plan(plan: Plan) -> Plan:
    """A plan that makes one package."""
    return replace(plan, flavor=Flavor())


@pytest.fixture
def dirs(staged: StepDirs) -> StepDirs:
    """The step directories up to the package step."""
    return staged


def _spec(plan: Plan, dirs: StepDirs) -> str:
    return spec.render(plan, dirs.workspace.root, spec.staged(dirs.stage))


def _section(text: str, name: str) -> list[str]:
    """The lines of one section, without the blank ones and the comments."""
    section = re.search(rf"^%{name}\b.*\n((?:(?!%(?:files|postun|changelog)\b).*\n)*)", text, re.M)
    assert section, name
    return [line for line in section[1].splitlines() if line and not line.startswith("#")]


def _with_folders(plan: Plan, folders: str) -> Plan:
    return release.recast(plan, folders=folders)


def test_spec_is_of_the_plan(plan: Plan, dirs: StepDirs) -> None:
    """Name, version, release with its dist tag, and a licence."""
    text = _spec(plan, dirs)
    tags = dict(re.findall(r"^(\w+):\s+(.*)$", text, re.MULTILINE))

    assert ("mimalloc-custom", "2.0.6", "1%{?dist}") == (
        tags["Name"],
        tags["Version"],
        tags["Release"],
    )
    assert ("MIT", plan.package.url) == (tags["License"], tags["URL"])
    assert "mimalloc-custom-2.0.6 for centminmod.com LEMP stack installs" == tags["Summary"]
    assert "\n%description\nmimalloc-custom-2.0.6 for centminmod.com LEMP stacks\n" in text


def test_spec_leaves_nothing_to_be_filled_in(plan: Plan, dirs: StepDirs) -> None:
    """No brace of the template is left, and the file ends with a newline."""
    text = _spec(plan, dirs)

    assert not re.search(r"\{\{|\{%|%\}", text)
    assert text.endswith("\n")


def test_spec_is_the_same_twice(plan: Plan, dirs: StepDirs) -> None:
    """No set order, no clock."""
    assert _spec(plan, dirs) == _spec(plan, dirs)


def test_library_is_a_program_file(plan: Plan, dirs: StepDirs) -> None:
    """The library alone has the mode that makes rpm look into it; links have none."""
    lines = _section(_spec(_with_folders(plan, "swept"), dirs), "files")

    assert [
        "%defattr(0644,root,root,0755)",
        f'%attr(0644,root,root) "{PREFIX}/include/mimalloc-2.0/mimalloc.h"',
        f'"{PREFIX}/lib64/libmimalloc.so"',
        f'"{PREFIX}/lib64/libmimalloc.so.2"',
        f'%attr(0755,root,root) "{PREFIX}/lib64/libmimalloc.so.2.0"',
        *LICENSED,
    ] == lines


def test_owned_folders_are_listed(plan: Plan, dirs: StepDirs) -> None:
    """All but the topmost, in whose place a link may be: erasing its owner would delete that."""
    text = _spec(_with_folders(plan, "owned"), dirs)
    lines = [line for line in _section(text, "files") if line.startswith("%dir")]

    folders = [f'%dir %attr(0755,root,root) "{PREFIX}{folder}"' for folder in FOLDERS[1:]]
    assert [*folders, LICENSED[0]] == lines
    assert [f'posix.rmdir("{PREFIX}")'] == _section(text, "postun")


def test_swept_folders_are_removed_from_the_deepest_up(plan: Plan, dirs: StepDirs) -> None:
    """A package whose list is fixed removes its folders inside rpm, if they are empty."""
    text = _spec(_with_folders(plan, "swept"), dirs)

    assert f'"{PREFIX}"' not in _section(text, "files")
    assert "%postun -p <lua>" in text
    assert [f'posix.rmdir("{PREFIX}{folder}")' for folder in reversed(FOLDERS)] == _section(
        text, "postun"
    )


def test_link_to_a_folder_is_a_file(plan: Plan, dirs: StepDirs) -> None:
    """A link is packed as a link, whatever its target is."""
    link = dirs.stage / PREFIX.lstrip("/") / "lib"
    link.symlink_to("lib64")
    text = _spec(_with_folders(plan, "owned"), dirs)

    assert f'%dir %attr(0755,root,root) "{PREFIX}/lib"' not in text
    assert f'"{PREFIX}/lib"\n' in text


def test_changelog_is_the_recipes(plan: Plan, dirs: StepDirs) -> None:
    """From the newest entry down, in rpm's own form and language."""
    changes = (
        Change(2, date(2026, 12, 1), ("Second", "More")),
        Change(1, date(2026, 11, 23), ("First",)),
    )
    text = _spec(release.recast(plan, changelog=changes), dirs)
    lines = _section(text, "changelog")

    who = re.escape(plan.package.packager)
    assert re.fullmatch(rf"\* Tue Dec 01 2026 {who} - 2\.0\.6-2(\.el7)?", lines[0])
    assert ["- Second", "- More"] == lines[1:3]
    assert re.fullmatch(rf"\* Mon Nov 23 2026 {who} - 2\.0\.6-1(\.el7)?", lines[3])
    assert "\nRelease:        2%{?dist}\n" in text


def test_template_with_an_unknown_word(plan: Plan, dirs: StepDirs) -> None:
    """A misspelled name is an error, and not an empty field."""
    template = dirs.workspace.root / spec.SPEC
    template.write_text("Name: {{ package.name }}\n{{ nonsense }}\n")
    with pytest.raises(UndefinedError, match="nonsense"):
        _spec(plan, dirs)

    template.write_text("Name: {{ package.name }}\n")
    assert "Name: mimalloc-custom\n" == _spec(plan, dirs)


def test_a_flavor_has_a_spec_of_its_own(project: Path, dirs: StepDirs) -> None:
    """Named and described by its own name; its library has the library's mode, its links none."""
    plan = selection.plan(project, "3.4.3", "el8", "x86_64", "secure")
    folder = dirs.stage / PREFIX.lstrip("/") / "lib64"
    (folder / "libmimalloc-secure.so.3.4").touch()
    (folder / "libmimalloc-secure.so.3").symlink_to("libmimalloc-secure.so.3.4")
    text = _spec(plan, dirs)

    assert "\nName:           mimalloc-custom-secure\n" in text
    assert "\n%description\nmimalloc-custom-secure-3.4.3 for centminmod.com" in text
    lines = _section(text, "files")
    assert f'%attr(0755,root,root) "{PREFIX}/lib64/libmimalloc-secure.so.3.4"' in lines
    assert f'"{PREFIX}/lib64/libmimalloc-secure.so.3"' in lines


def test_a_build_by_itself_is_of_the_recipe(project: Path, checkout: Path) -> None:
    """Sources, patches and options of cmake; the flags are those of the building system."""
    plan = selection.plan(project, "2.0.6", "el8", "x86_64")
    text = spec.render(plan, checkout, load.manifests(project, plan)[0])

    assert "\nSource0:        mimalloc-2.0.6.tar.gz\n" in text
    assert f"\n# {plan.recipe.tree}\n" in text
    assert "\nPatch1:         0001-align-power-of-two-blocks.patch\n" in text
    assert f'< "$RPM_SOURCE_DIR/{plan.recipe.patch[0].file}"\n' in text
    for name, value in plan.options.items():
        assert f'-D{name}="{value}"' in text
    assert "-mcpu" not in text
    assert not re.search(r"rm -rf .*include", text)


def test_a_flavor_removes_what_it_omits(project: Path, checkout: Path) -> None:
    """Also where it is built by itself."""
    plan = selection.plan(project, "3.4.3", "el8", "x86_64", "secure")
    text = spec.render(plan, checkout, load.manifests(project, plan)[0])

    assert f'rm -rf "$RPM_BUILD_ROOT{PREFIX}/include"' in text
    assert f'rm -rf "$RPM_BUILD_ROOT{PREFIX}/lib64/cmake"' in text
    assert '-DMI_SECURE="ON"' in text


def test_manifest_gives_files_and_folders(plan: Plan, checkout: Path) -> None:
    """Folders are those above the files; build-id links are rpm's own."""
    manifest = (
        "/usr/lib/.build-id",
        f"{PREFIX}/lib64",
        f"{PREFIX}/lib64/libmimalloc.so",
        f"{PREFIX}/lib64/mimalloc-2.0/mimalloc.o",
    )
    text = spec.render(_with_folders(plan, "owned"), checkout, manifest)

    assert [
        "%defattr(0644,root,root,0755)",
        *(
            f'%dir %attr(0755,root,root) "{PREFIX}{name}"'
            for name in ("/lib64", "/lib64/mimalloc-2.0")
        ),
        f'"{PREFIX}/lib64/libmimalloc.so"',
        f'%attr(0644,root,root) "{PREFIX}/lib64/mimalloc-2.0/mimalloc.o"',
        *LICENSED,
    ] == _section(text, "files")


# --- the sub-package -----------------------------------------------------------------------------


def test_sub_package_is_beside_the_package_and_not_in_it(
    both: Plan, plan: Plan, dirs: StepDirs
) -> None:
    """Without it, every line of the spec is there, in the same order."""
    owned = _with_folders(both, "owned"), _with_folders(plan, "owned")
    with_it, without = (_spec(variant, dirs).splitlines() for variant in owned)
    lines = iter(with_it)

    assert [] == [line for line in without if line not in lines]
    more = set(with_it) - set(without)
    assert "%files -n mimalloc-custom-nginx" in more
    assert "Requires:       mimalloc-custom = %{version}-%{release}" in more
    assert "BuildArch:      noarch" in more


def test_scriptlets_are_for_the_dist_without_triggers(both: Plan, dirs: StepDirs) -> None:
    """They are inside of a condition."""
    text = _spec(both, dirs)
    start = text.index('%if "%{?dist}" == ".el7"\n%post -n mimalloc-custom-nginx')

    assert text.index("%postun -n mimalloc-custom-nginx") < text.index("%endif", start)
    assert 2 == text.count("systemctl daemon-reload >/dev/null")


@pytest.mark.parametrize(
    ("version", "flavor", "library"),
    [
        ("2.0.6", "plain", "libmimalloc.so"),
        ("3.4.3", "plain", "libmimalloc.so"),
        ("3.4.3", "secure", "libmimalloc-secure.so"),
    ],
)
def test_dropin_names_the_library_of_the_release(
    project: Path, version: str, flavor: str, library: str
) -> None:
    """By the name that every release has; every other line is a comment."""
    plan = selection.plan(project, version, "el8", "x86_64", flavor)
    text, _ = spec.dropin(plan, project, "php-fpm.service")
    lines = [line for line in text.splitlines() if not line.startswith("#")]

    assert ["[Service]", f"Environment=LD_PRELOAD={PREFIX}/lib64/{library}"] == lines
    assert "systemctl restart php-fpm\n" in text
    assert text.endswith("\n")


def _settings(plan: Plan, root: Path) -> list[str]:
    """The variables of nginx's drop-in beside the preload."""
    text, _ = spec.dropin(plan, root, "nginx.service")
    prefix = "Environment=MIMALLOC_"
    return [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]


def test_dropin_sets_what_the_release_knows(project: Path) -> None:
    """Upstream renamed variables; one that a library does not know has no effect."""
    settings = {
        version: set(_settings(selection.plan(project, version, "el8", "x86_64"), project))
        for version in load.versions(project)
    }

    assert "ALLOW_THP=0" in settings["3.4.3"]
    assert "ALLOW_THP=0" not in settings["2.0.6"]
    assert {"DECOMMIT_DELAY=5", "SEGMENT_DECOMMIT_DELAY=100"} == settings["2.0.6"]
    for version, variables in settings.items():
        assert variables == {
            one.variable.removeprefix("MIMALLOC_")
            for one in load.package(project).flavor["plain"].subpackage[0].setting
            if one.known(version)
        }


def test_a_file_of_the_tool_has_the_settings_of_all_releases(project: Path) -> None:
    """It stays when the library is replaced; nginx keeps them all on a binary upgrade."""
    settings = load.package(project).flavor["plain"].subpackage[0].setting
    variables = [one.variable for one in settings]
    tool = (project / spec.TOOL).read_text()
    environment = re.search(r"^nginx_environment='([^']+)'", tool, re.M)
    kept = (project / "recipes" / "nginx" / "mimalloc-custom.conf").read_text().splitlines()

    assert environment
    assert variables == environment[1].split()
    assert {f"env {variable.partition('=')[0]};" for variable in variables} <= set(kept)


def test_where_the_file_list_is_fixed_only_the_sub_package_has_the_licence(
    both: Plan, dirs: StepDirs
) -> None:
    """The page's list of 2.0.6 has none."""
    text = _spec(_with_folders(both, "swept"), dirs)

    assert not [line for line in _section(text, "files") if "licenses" in line]
    assert "%license" in "\n".join(_section(text, "files -n mimalloc-custom-nginx"))
