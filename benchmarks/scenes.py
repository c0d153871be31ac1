"""Where builds are measured: a checkout of its own, so that nobody's packages are removed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import usage
from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.model.errors import CompileError
from pipeline.system import workspace

# A command, and the variables that it needs.
Run = tuple[tuple[str, ...], Mapping[str, str]]

_OF_A_CHECKOUT = ("recipes", "patches", "buildroot", "doors", "pipeline")


@dataclass(frozen=True, slots=True)
class Scene:
    """A copy of the checkout that shares its cache, and what commands are measured with there."""

    checkout: workspace.Workspace
    starter: usage.Starter
    folder: Path

    def seconds(self, run: Run) -> float:
        """How long something takes."""
        argv, env = run
        took = self.starter.run(argv, error=CompileError, cwd=self.checkout.root, env=env)
        return took.wall

    def invoke(self, *words: str) -> Run:
        """One of our own commands."""
        program = str(Path(sys.executable).with_name("invoke"))
        return (program, *words), {workspace.CACHE_VARIABLE: str(self.checkout.cache.parent)}


def scene(root: Path, folder: Path) -> Scene:
    """A copy of the checkout at ``root``, in an empty folder."""
    checkout = workspace.Workspace(folder / "checkout", workspace.locate(root).cache)
    checkout.root.mkdir()
    for name in _OF_A_CHECKOUT:
        shutil.copytree(root / name, checkout.root / name)
    for name in ("tasks.py", "pyproject.toml"):
        shutil.copy2(root / name, checkout.root / name)
    plan = selection.plans(checkout.root, Selection())[0]
    return Scene(checkout, usage.starter(plan, checkout, folder), folder)
