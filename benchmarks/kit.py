"""What the script by-hand.sh needs: the options that the pipeline has used, read from its logs."""

from __future__ import annotations

import shlex
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError
from pipeline.steps import patch
from pipeline.system.workspace import StepDirs, copy_tree

SCRIPT = Path(__file__).with_name("by-hand.sh")
_TREE = "/CMakeLists.txt"


@dataclass(frozen=True, slots=True)
class Kit:
    """The script's arguments, and what it will have made in the end."""

    argv: tuple[Path, ...]
    work: Path
    library: Path
    package: Path


def make(plan: Plan, dirs: StepDirs, folder: Path) -> Kit:
    """Write down how the pipeline has made a package, for the script to do the same.

    Every room of the pipeline becomes a folder of the script's own; nothing else is changed.
    """
    work, kit = folder / "work", folder / "kit"
    kit.mkdir(parents=True)
    rooms = {
        dirs.patched: work / "tree",
        dirs.folder("configure"): work / "configure",
        dirs.stage: work / "stage",
        dirs.folder("package"): work / "package",
    }
    for path in ("macros", f"{plan.package.name}.spec"):
        _move(dirs.folder("package") / path, kit / "package" / path, rooms)
    copy_tree(dirs.folder("package") / "fileattrs", kit / "package" / "fileattrs")
    _move(dirs.folder("configure") / "toolchain.cmake", kit / "toolchain.cmake", rooms)
    archive = kit / "archive"
    shutil.copyfile(dirs.archive, archive)
    settings = kit / "settings"
    lines = [*_places(plan, dirs, kit, work), *_source(plan, archive), *_commands(dirs, rooms)]
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    library = work / "stage" / str(plan.library).lstrip("/")
    package = work / "package" / dirs.packages.name / plan.file_name
    return Kit((SCRIPT, settings), work, library, package)


def commands(log: Path) -> list[list[str]]:
    """The commands that a log of the pipeline tells of, in order."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]


def moved(text: str, folders: Mapping[Path, Path]) -> str:
    """A text with the script's folders in the place of the pipeline's."""
    for folder, own in folders.items():
        text = text.replace(str(folder), str(own))
    return text


def _move(source: Path, target: Path, folders: Mapping[Path, Path]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(moved(source.read_text(encoding="utf-8"), folders), encoding="utf-8")


def _places(plan: Plan, dirs: StepDirs, kit: Path, work: Path) -> list[str]:
    modes = plan.package.modes
    return [
        _variable("kit", str(kit)),
        _variable("work", str(work)),
        _variable("library", str(plan.library)),
        _variable("library_mode", modes.library),
        _variable("folder_mode", modes.folder),
        _variable("file_mode", modes.file),
        _array("patches", map(str, patch.files(dirs.workspace.root, plan))),
    ]


def _source(plan: Plan, archive: Path) -> list[str]:
    """Where the release's tree starts in the archive, and which of its files a build reads."""
    with tarfile.open(archive) as opened:
        names = {member.name for member in opened}
    marks = [name.removesuffix(_TREE) for name in names if name.endswith(_TREE)]
    base = min(marks, key=lambda name: (name.count("/"), name))
    wanted = [f"{base}/{entry.rstrip('/')}" for entry in plan.package.identity]
    # A release that lacks one of them is as its recipe pins it; tar would stumble over the name.
    members = [path for path in wanted if any(f"{name}/".startswith(f"{path}/") for name in names)]
    return [
        _variable("archive", str(archive)),
        _variable("depth", str(base.count("/") + 1)),
        _array("members", members),
    ]


def _commands(dirs: StepDirs, folders: Mapping[Path, Path]) -> list[str]:
    steps = ("configure", "compile", "stage", "package")
    said = {step: commands(dirs.log(step)) for step in steps}
    *support, configure = said["configure"]
    if [1, 1, 1] != [len(said[step]) for step in steps[1:]]:
        raise HostError("the pipeline no longer builds with the commands that by-hand.sh knows")
    lines = [
        _array("configure", configure),
        _array("compile", without_targets(said["compile"][0])),
        _array("install", said["stage"][0]),
        _array("rpmbuild", said["package"][0]),
        "support() {",
        *(f"    {shlex.join(command)}" for command in support or [["true"]]),
        "}",
    ]
    return [moved(line, folders) for line in lines]


def without_targets(ninja: list[str]) -> list[str]:
    """By hand one lets ninja build all, in its own order; ours tells it where to begin."""
    last = max(index for index, word in enumerate(ninja) if word.startswith("-"))
    return ninja[: last + 2] if ninja[last] == "-C" else ninja[: last + 1]


def _variable(name: str, value: str) -> str:
    return f"{name}={shlex.quote(value)}"


def _array(name: str, values: Iterable[str]) -> str:
    return f"{name}=({shlex.join(values)})"
