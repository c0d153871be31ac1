"""What a user asks a bump for, and the command line that asks for it."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.model import Options, Plan
from pipeline.system.report import Report
from pipeline.system.workspace import Workspace

# Writes the profile of a plan's release into a file. Raises HostError where the host cannot.
Train = Callable[[Plan, Workspace, Path, Report], None]


@dataclass(frozen=True, slots=True)
class Request:
    """The release to pin: by its version, or the newest of a line.

    ``source`` is a git repository or upstream's tarball; ``draft`` is a recipe to begin with;
    ``released`` is the time of the tagged commit, for sources that do not contain it; ``accept``
    is a comma list of accepted changes. ``number`` is a release number to raise, ``reason`` why.
    ``train`` makes the profile; without it the release gets none.
    """

    version: str = ""
    line: str = ""
    source: str = ""
    draft: str = ""
    released: str = ""
    accept: str = ""
    force: bool = False
    dry_run: bool = False
    number: int = 0
    reason: str = ""
    options: Options = field(default_factory=Options)
    train: Train | None = None

    @property
    def file(self) -> Path:
        """The draft."""
        return Path(self.draft).expanduser().absolute()

    def command(self, version: str, **others: str) -> str:
        """The command line that pins this version, with ``others`` in place of some flags."""
        names = ("source", "accept", "draft", "released")
        flags = {"version": version, **{name: getattr(self, name) for name in names}, **others}
        flags["jobs"] = str(self.options.jobs or "")
        words = [word for name, value in flags.items() if value for word in (f"--{name}", value)]
        switches = {"--force": self.force, "--offline": self.options.offline}
        return shlex.join(
            ["invoke", "bump", *words, *(name for name, on in switches.items() if on)]
        )
