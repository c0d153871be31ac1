"""Fake steps: each writes its name to a list, and leaves what the next steps need."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.build.order import STEPS, Step
from pipeline.config import load
from pipeline.model import Built, Plan
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace

REAL = {step.name: step for step in STEPS}
STEP_NAMES = list(REAL)


@dataclass
class FakeSteps:
    """The fake steps: the names of those that ran, and what else happens in one of them."""

    names: list[str] = field(default_factory=list)
    hooks: dict[str, Callable[[], None]] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """A fake step of this name."""

        def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
            self.names.append(name)
            dirs.log(name).write_text(f"{name}\n")
            (dirs.folder(name) / "result").write_text(f"{name}\n")
            if name == "patch":
                origin = {"kind": "url", "reference": "https://x.invalid/", "sha256": "0" * 64}
                dirs.origin("patch").write_text(json.dumps(origin))
            if name == "package":
                dirs.packages.mkdir()
                for file_name in plan.file_names:
                    (dirs.packages / file_name).write_text("an RPM\n")
            self.hooks.get(name, lambda: None)()

        return replace(REAL[name], inputs=lambda plan, root: None, run=run, after="")

    def ran(self) -> list[str]:
        """The steps that ran since the last call."""
        names, self.names = self.names, []
        return names


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> FakeSteps:
    """Replaces all steps by fake ones."""
    fake = FakeSteps()
    monkeypatch.setattr(make, "STEPS", tuple(fake.step(name) for name in STEP_NAMES))
    return fake


@pytest.fixture
def build(plan: Plan, workspace: Workspace, checkout: Path) -> Callable[..., Built]:
    """Builds the plan, or another one, in the scratch checkout, where there are manifests."""

    def run(other: Plan = plan) -> Built:
        for file in load.manifest_files(checkout, other):
            file.parent.mkdir(exist_ok=True)
            file.touch()
        return make.package(other, workspace, Report())

    return run
