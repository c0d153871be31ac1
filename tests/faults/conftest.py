"""Shared by the tests of faults: real packages, a project to break, the number of examples."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipeline.system import workspace
from tests.build.conftest import (
    Package,
    as_root,
    checkout,
    gnupg,
    invoke,
    package,
    publisher,
)
from tests.faults import project as projects
from tests.faults.project import BUILD, DIST, VERSION, Project

__all__ = [
    "as_root",
    "checkout",
    "gnupg",
    "invoke",
    "package",
    "publisher",
]


@pytest.fixture(scope="session")
def saved_project(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which a package is built, with a saved copy."""
    package(VERSION, DIST)
    project = projects.make(tmp_path_factory.mktemp("projects") / "project")
    project.succeed(*BUILD, "--offline")
    project.save()
    return project


@pytest.fixture(scope="module")
def built_project(saved_project: Project) -> Project:
    """The project as it was when the package was built, with the compiler's cache."""
    saved_project.restore()
    return saved_project


@pytest.fixture
def project(built_project: Project) -> Iterator[Project]:
    """The built project; after the test its packages are as before, and nothing is published."""
    copy = built_project.folder / "dist-copy"
    shutil.copytree(built_project.dist, copy)
    yield built_project
    for name in ("dist", ".repository", "repository"):
        workspace.remove(built_project.root / name)
    copy.rename(built_project.dist)


@pytest.fixture
def keys(gnupg: Path) -> dict[str, str]:
    """The environment in which gpg finds the keys."""
    return {"GNUPGHOME": str(gnupg)}


# Examples of each property: by default, and in full.
SAMPLE, FULL = 60, 3000


def pytest_configure(config: pytest.Config) -> None:
    """The same examples each time; with ``--full`` others, each with what repeats it."""
    full = config.getoption("--full")
    settings.register_profile(
        "faults",
        max_examples=FULL if full else SAMPLE,
        derandomize=not full,
        print_blob=True,
        database=None,
        # Time is limited by the sandbox, in CPU seconds.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("faults")
