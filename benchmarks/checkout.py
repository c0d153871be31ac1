"""The measured checkout: a copy of this one, so that the user's packages stay in place."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import programs
from pipeline.build import selection
from pipeline.model import Selection
from pipeline.system import workspace
from pipeline.system.workspace import Workspace

_FOLDERS = ("recipes", "patches", "buildroot", "cli", "pipeline")

# A command, and the variables that it needs.
Command = tuple[tuple[str, ...], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class MeasuredCheckout:
    """A copy of a checkout with the same cache, and the starter that measures commands in it."""

    workspace: Workspace
    starter: Path

    def invoke(self, task: str, packages: Selection | None = None) -> Command:
        """The command of one of our tasks."""
        options = asdict(packages) if packages else {}
        names = [name for name in ("version", "dist", "arch", "flavor") if options.get(name)]
        words = [word for name in names for word in (f"--{name}", options[name])]
        program = str(Path(sys.executable).with_name("invoke"))
        cache = {workspace.CACHE_VARIABLE: str(self.workspace.cache.parent)}
        return (program, task, *words), cache

    def seconds(self, command: Command) -> float:
        """How long a command takes."""
        argv, env = command
        return programs.measure(self.starter, argv, cwd=self.workspace.root, env=env).wall


def copy(root: Path, folder: Path) -> MeasuredCheckout:
    """Copy the checkout at ``root`` into a folder."""
    place = Workspace(folder / "checkout", workspace.locate(root).cache)
    for name in _FOLDERS:
        shutil.copytree(root / name, place.root / name)
    for name in ("tasks.py", "pyproject.toml"):
        shutil.copy2(root / name, place.root / name)
    plan = selection.plans(place.root, Selection())[0]
    starter = programs.compiled(programs.STARTER, plan, place, folder)
    return MeasuredCheckout(place, starter)
