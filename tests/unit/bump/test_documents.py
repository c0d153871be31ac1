"""`bump.texts`: README's table of releases, and the changelog."""

from __future__ import annotations

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


def _added(log: str, before: str, after: str) -> str:
    return log.replace(before, after, 1)


def test_an_entry_joins_those_of_its_kind() -> None:
    """Below the unreleased changes, and not below those of a release."""
    expected = _added(LOG, "EL7.\n", "EL7.\n- New.\n")

    assert expected == documents.with_entry(LOG, "Added", "- New.")


def test_an_entry_of_a_new_kind_gets_a_heading() -> None:
    """Behind the other kinds."""
    expected = _added(LOG, "see 2.2.4.\n", "see 2.2.4.\n\n### Changed\n\n- New.\n")

    assert expected == documents.with_entry(LOG, "Changed", "- New.")


def test_the_first_entry_of_all_gets_a_heading() -> None:
    """Also where nothing follows."""
    assert "# C\n\n## Unreleased\n\n### Added\n\n- New.\n" == documents.with_entry(
        "# C\n\n## Unreleased\n", "Added", "- New."
    )
    assert "## Unreleased\n\n### Added\n\n- New.\n\n## 1.0\n" == documents.with_entry(
        "## Unreleased\n\n## 1.0\n", "Added", "- New."
    )


def test_a_changelog_without_unreleased_changes_is_refused() -> None:
    """Nobody knows where the entry belongs."""
    with pytest.raises(BumpError, match="Unreleased"):
        documents.with_entry("# Changelog\n\n## 1.0\n", "Added", "- New.")


def test_a_version_is_announced_where_packages_of_it_are() -> None:
    """In an entry that goes over two lines, too; a version that is only mentioned is not."""
    announced = [
        v for v in ("2.0.6", "2.0.9", "2.4.1", "2.2.4", "2.0") if documents.announces(LOG, v)
    ]

    assert ["2.0.6", "2.0.9"] == announced


def test_the_changelog_of_the_project_announces_every_recipe(project: Path) -> None:
    """What `bump` looks for is what is written there."""
    log = (project / documents.CHANGELOG).read_text()

    assert [] == [v for v in load.versions(project) if not documents.announces(log, v)]


def test_the_table_of_the_project_is_what_would_be_written(project: Path) -> None:
    """A row for each recipe, with its library and who else has its source."""
    readme = (project / documents.README).read_text()
    for version in load.versions(project):
        recipe = load.recipe(project, version)
        assert documents.has_row(readme, recipe)
        assert readme == documents.with_row(readme, recipe, documents.changed(readme, version))


def test_a_row_comes_where_its_version_belongs(project: Path, real_plan: Plan) -> None:
    """Between 2.4.1 and 3.2.8, not behind 2.0.9."""
    readme = (project / documents.README).read_text()
    recipe = replace(real_plan.recipe, version="2.10.0")
    lines = documents.with_row(readme, recipe, "a change").splitlines()
    rows = [line.split()[1] for line in lines if line.startswith(("| 2.4.1", "| 2.10", "| 3.2.8"))]

    assert ["2.4.1", "2.10.0", "3.2.8"] == rows
    assert "| 2.10.0 | libmimalloc.so.2 | | a change |" in lines
    assert not documents.has_row(readme, recipe)


def test_a_readme_without_the_table_is_refused(real_plan: Plan) -> None:
    """Better than one that is written into the wrong place."""
    with pytest.raises(BumpError, match="no table"):
        documents.with_row("# README\n", real_plan.recipe, "")
    with pytest.raises(BumpError, match="begins with no version"):
        documents.with_row("## Releases\n\n| a |\n| --- |\n| new |\n", real_plan.recipe, "")
