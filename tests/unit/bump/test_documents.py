"""README's table of releases, and the changelog."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bump import documents
from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import BumpError

LOG = """\
# Changelog

## Unreleased

### Added

- Packages of mimalloc 2.0.6 and
  2.0.9 for EL7.

### Fixed

- A fault of 2.4.1; see 2.2.4.

## 1.0

### Added

- Something old.
"""


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (LOG, "Added", LOG.replace("- Packages", "- New.\n- Packages")),
        (LOG, "Changed", LOG.replace("see 2.2.4.\n", "see 2.2.4.\n\n### Changed\n\n- New.\n")),
        ("# C\n\n## Unreleased\n", "Added", "# C\n\n## Unreleased\n\n### Added\n\n- New.\n"),
        (
            "## Unreleased\n\n## 1.0\n",
            "Added",
            "## Unreleased\n\n### Added\n\n- New.\n\n## 1.0\n",
        ),
    ],
    ids=["with those of its kind", "of a new kind", "the first", "the first of this release"],
)
def test_an_entry_is_added_to_the_unreleased_changes(
    tmp_path: Path, text: str, kind: str, expected: str
) -> None:
    """First below the heading of its kind, which is added where it is missing; and only once."""
    file = tmp_path / documents.CHANGELOG
    file.write_text(text)
    for _ in range(2):
        documents.add_entry(tmp_path, kind, "- New.")

        assert expected == file.read_text()


def test_a_changelog_without_unreleased_changes_is_refused(tmp_path: Path) -> None:
    """There is no place for the entry."""
    (tmp_path / documents.CHANGELOG).write_text("# Changelog\n\n## 1.0\n")
    with pytest.raises(BumpError, match="Unreleased"):
        documents.add_entry(tmp_path, "Added", "- New.")


def test_the_table_of_the_project_is_what_would_be_written(project: Path, tmp_path: Path) -> None:
    """A row for each recipe, with its library and who else has its source."""
    file = tmp_path / documents.README
    shutil.copyfile(project / documents.README, file)
    for version in load.versions(project):
        documents.add_row(tmp_path, load.recipe(project, version), version)

    assert (project / documents.README).read_text() == file.read_text()


def test_a_row_is_sorted_by_version(project: Path, tmp_path: Path, real_plan: Plan) -> None:
    """Between 2.4.1 and 3.2.8, not behind 2.0.9; what we change is as in the release it is from."""
    file = tmp_path / documents.README
    shutil.copyfile(project / documents.README, file)
    documents.add_row(tmp_path, replace(real_plan.recipe, version="2.10.0"), "2.0.6")
    lines = file.read_text().splitlines()
    rows = [line.split()[1] for line in lines if line.startswith(("| 2.4.1", "| 2.10", "| 3.2.8"))]

    assert ["2.4.1", "2.10.0", "3.2.8"] == rows
    change = "[patches](docs/library.md#our-patches)"
    assert f"| 2.10.0 | libmimalloc.so.2 | | {change} |" in lines


def test_a_readme_without_a_table_of_releases_is_refused(tmp_path: Path, real_plan: Plan) -> None:
    """No row is written to the wrong place."""
    (tmp_path / documents.README).write_text("# README\n")
    with pytest.raises(BumpError, match="no table"):
        documents.add_row(tmp_path, real_plan.recipe, "2.0.9")
