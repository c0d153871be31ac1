"""A package that was checked, and its step directories."""

import json
from collections.abc import Callable

import pytest

from pipeline.artifact import placement
from pipeline.model import Built, Plan
from pipeline.system import contents
from pipeline.system.workspace import StepDirs, Workspace

Build = Callable[[], Built]

ORIGIN = {"kind": "url", "reference": "https://x.invalid/", "sha256": "0" * 64}


@pytest.fixture
def dirs(plan: Plan, workspace: Workspace) -> StepDirs:
    """The step directories after the check, with what placement reads of them."""
    steps = ("patch", "package", "check")
    dirs = StepDirs(workspace, dict.fromkeys((*steps, placement.PACKAGE), "1" * 64))
    for step in steps:
        dirs.folder(step).mkdir(parents=True)
    dirs.origin("patch").write_text(json.dumps(ORIGIN))
    dirs.packages.mkdir()
    for name in plan.file_names:
        (dirs.packages / name).write_text("an RPM\n")
    record(dirs, *steps)
    return dirs


def record(dirs: StepDirs, *steps: str) -> None:
    """Write what the steps have left, as at their end."""
    for step in steps:
        dirs.done(step).write_text(contents.record(dirs.folder(step)))


@pytest.fixture
def build(plan: Plan, dirs: StepDirs, checkout: object, rpmbuild: object) -> Build:
    """Places the package in the scratch checkout, unless it is there and up to date."""

    def place() -> Built:
        return placement.finished(plan, dirs, locked=True) or placement.place_package(plan, dirs)

    return place
