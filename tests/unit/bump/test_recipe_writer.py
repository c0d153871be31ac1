"""A recipe made from another one; comments and options are carried."""

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.bump import cmake_options, recipe_writer
from pipeline.bump.cmake_options import Option
from pipeline.bump.inspection import Release
from pipeline.bump.source_tree import Tree
from pipeline.config import load
from pipeline.model import Recipe
from pipeline.model.errors import RecipeError

# The table of a flavor, with its comment.
_FLAVOR = re.compile(r"(#.*\n)*\[flavor\..*\n(.+\n)*\n")

VERSIONS = ["2.0.6", "2.0.9", "2.2.4", "2.10.0", "3.2.8"]


@pytest.mark.parametrize(
    ("version", "nearest"),
    [
        ("2.4.1", "2.2.4"),
        ("2.11.0", "2.10.0"),
        ("2.2.4", "2.0.9"),
        ("2.0.5", "2.0.6"),
        ("3.4.3", "3.2.8"),
        ("3.0.1", "3.2.8"),
        ("4.0.0", "3.2.8"),
        ("1.9.9", "2.0.6"),
    ],
)
def test_a_release_begins_with_the_nearest_of_its_line(version: str, nearest: str) -> None:
    """The next older one, else the next newer; of a new line, the next older of all."""
    assert nearest == recipe_writer.relatives(version, VERSIONS)[0]


def test_the_first_release_begins_with_none() -> None:
    """Not with itself either."""
    assert [] == recipe_writer.relatives("2.0.6", ["2.0.6"])


@pytest.mark.parametrize(
    ("version", "nearest"),
    [("1.9.11", "2.4.1"), ("2.3.1", "2.4.1"), ("2.2.6", "2.2.4"), ("3.1.5", "3.2.8")],
)
def test_the_nearest_is_so_by_its_options(project: Path, version: str, nearest: str) -> None:
    """Upstream takes options over between lines; but a release of the line comes first."""
    options, _ = cmake_options.recorded(project, {"3.1.5": "2.2.4"}.get(version, nearest))
    new = {name: Option(default, "") for name, default in options.items()}
    versions = load.versions(project)
    differences = cmake_options.differences(project, versions, new)

    assert nearest == recipe_writer.relatives(version, versions, differences)[0]


def test_a_draft_says_what_it_was_made_from(project: Path, tmp_path: Path) -> None:
    """So that the next run compares with the same release; a pinned recipe is its own answer."""
    file = tmp_path / "draft.toml"
    text = _drafted(project, "2.2.4", "2.4.1")
    file.write_text(recipe_writer.MADE_FROM.format(version="2.2.4") + text)

    assert "2.2.4" == recipe_writer.made_from(file)
    assert "2.2.4" == recipe_writer.made_from(project / "recipes" / "2.2.4.toml")
    own = _release(load.recipe(project, "2.4.1"))
    assert text == recipe_writer.recipe(file, "2.4.1", own, "2026-11-23")


def test_what_a_relative_sets_is_carried(project: Path) -> None:
    """A flavor's with its level; what it does not set is not taken."""
    text = _drafted(project, "3.2.8", "3.4.3")
    donor = (project / "recipes" / "3.4.3.toml").read_text()
    carried, taken = recipe_writer.with_settings(text, ["MI_SECURE_FULL", "MI_NEW"], donor)

    assert ["MI_SECURE_FULL"] == taken
    assert tomllib.loads(donor)["flavor"] == tomllib.loads(carried)["flavor"]
    bare = re.sub(r"(#.*\n)*MI_OPT_ARCH.*\n", "", text)
    carried, taken = recipe_writer.with_settings(bare, ["MI_OPT_ARCH"], text)
    assert ["MI_OPT_ARCH"] == taken
    assert tomllib.loads(text)["cmake"] == tomllib.loads(carried)["cmake"]


def _release(recipe: Recipe) -> Release:
    """The inspected source of a pinned release."""
    tree = Tree(recipe.tree, recipe.mi_version, recipe.soname, recipe.library)
    first, *others = recipe.source
    return Release(Path(), first, tree, recipe.released, dict.fromkeys(others, "agrees"))


def _drafted(project: Path, base: str, version: str) -> str:
    """The recipe of a release as it would be made from another one's, on the day of its own."""
    own = load.recipe(project, version)
    file = project / "recipes" / f"{base}.toml"
    day = f"{own.changelog[0].date}"
    return recipe_writer.recipe(file, version, _release(own), day)


@pytest.mark.parametrize(("base", "version"), [("2.2.4", "2.4.1"), ("3.2.8", "3.4.3")])
def test_our_own_recipes_would_be_written_byte_for_byte(
    project: Path, base: str, version: str
) -> None:
    """Facts, layout, comments: as written by hand, but for patches, and an option new to it."""
    own, recipe = (
        (project / "recipes" / f"{version}.toml").read_text(),
        load.recipe(project, version),
    )
    checksums = {patch.file: patch.sha256 for patch in recipe.patch}
    drafted = recipe_writer.with_patches(_drafted(project, base, version), checksums, version)
    drafted = recipe_writer.with_profile(drafted, recipe.profile)

    assert "MI_SECURE_FULL" in own
    assert _FLAVOR.sub("", own) == _FLAVOR.sub("", drafted)


def test_what_a_release_changes_of_a_flavor_is_carried(project: Path) -> None:
    """Where it has the option; else the level that the option is for stays behind with it."""
    file = project / "recipes" / "3.4.3.toml"
    release = _release(load.recipe(project, "3.4.3"))
    known = replace(release.tree, options={"MI_SECURE_FULL": Option("OFF", "")})
    with_it, without = (
        recipe_writer.recipe(file, "3.9.9", replace(release, tree=tree), "2026-01-01")
        for tree in (known, release.tree)
    )

    secure = '[flavor.secure]\nlevel = 5\ncmake.MI_SECURE_FULL = "ON"\n'
    assert secure in with_it
    assert "MI_SECURE_FULL" in recipe_writer.cmake(with_it)
    assert {"secure": {}} == tomllib.loads(without)["flavor"]
    assert "mi_has_libatomic" in recipe_writer.cmake(without)


def test_keys_of_one_release_only_are_not_carried(project: Path) -> None:
    """Such as the fixed file list of 2.0.6, and the missing traits of 2.1.7 with their comment."""
    text = _drafted(project, "2.0.6", "2.0.9")
    other = _drafted(project, "2.1.7", "2.2.4")

    assert "\nfolders" not in text
    assert "profile" not in text
    assert "unmarked" not in other
    assert "It makes none of the calls" not in other
    assert "MI_LIBPTHREAD:STRING" in text
    assert "Return aligned blocks" in text


def test_accepted_violations_are_carried(project: Path, tmp_path: Path) -> None:
    """A new release begins with those of the nearest one, reasons and comments included."""
    file, entry = tmp_path / "base.toml", '[[accepted]]\nrule = "errno"\nwhy  = "# 1"    # mine\n'
    text = (project / "recipes" / "3.2.8.toml").read_text()
    file.write_text(text.replace("[[changelog]]", f"{entry}\n[[changelog]]"))
    recipe = load.recipe(project, "3.4.3")
    drafted = recipe_writer.recipe(file, "3.4.3", _release(recipe), "2026-01-01")

    assert entry in drafted
    assert {"errno"} == recipe_writer.accepted(drafted)
    assert frozenset() == recipe_writer.accepted(text)


def test_the_recipe_of_the_release_itself_stays_what_it_is(project: Path) -> None:
    """Nothing changes where the facts are the same."""
    for version in load.versions(project):
        own = (project / "recipes" / f"{version}.toml").read_text()
        assert own == _drafted(project, version, version)


def test_patches_are_left_out_with_what_the_changelog_says_of_them(project: Path) -> None:
    """Or stay, pinned to another checksum."""
    text = _drafted(project, "2.0.9", "2.1.7")
    files = [patch.file for patch in load.recipe(project, "2.0.9").patch]
    without = recipe_writer.with_patches(text, {}, "2.1.7")

    assert "patch" not in without
    assert 'notes   = ["Package mimalloc 2.1.7"]' in without
    assert "\n\n\n" not in without
    pinned = recipe_writer.with_patches(text, dict.fromkeys(files, "abc"), "2.1.7")
    assert 'sha256 = "abc"\nwhy' in pinned
    assert text.splitlines()[-1] == pinned.splitlines()[-1]


def test_an_entry_comes_on_top_of_the_changelog(project: Path) -> None:
    """The rest of the recipe is as it was."""
    text = (project / "recipes" / "2.4.1.toml").read_text()
    new = recipe_writer.with_entry(text, 2, "2026-12-01", 'Say "hello"')

    entry = '[[changelog]]\nrelease = 2\ndate    = 2026-12-01\nnotes   = ["Say \\"hello\\""]\n\n'
    assert entry in new
    assert text == new.replace(entry, "")


def test_a_time_is_written_in_utc(project: Path) -> None:
    """Whatever the zone of the tag."""
    own = load.recipe(project, "2.4.1")
    moment = datetime.fromisoformat("2026-07-14T17:09:51-07:00")
    release = replace(_release(own), released=moment)
    file = project / "recipes" / "2.4.1.toml"
    text = recipe_writer.recipe(file, "2.4.1", release, "2026-01-01")

    assert "released   = 2026-07-15T00:09:51Z    # time of" in text
    assert own.released == moment.astimezone(UTC)


@pytest.mark.parametrize("content", [b"version = ", b"\xff", None])
def test_a_file_that_is_no_recipe_is_refused(
    project: Path, tmp_path: Path, content: bytes | None
) -> None:
    """With the file's name."""
    file = tmp_path / "draft.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(RecipeError) as caught:
        recipe_writer.recipe(file, "2.4.1", _release(load.recipe(project, "2.4.1")), "2026-01-01")
    assert file == caught.value.file
