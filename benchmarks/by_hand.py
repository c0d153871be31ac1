"""The script by-hand.sh and its input: the commands that the pipeline has run, out of its logs."""

import shlex
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Built, Plan
from pipeline.model.errors import CompareError, HostError
from pipeline.system.checksum import sha256_of
from pipeline.system.workspace import StepDirs, copy_tree

SCRIPT = Path(__file__).with_name("by-hand.sh")
_TREE = "/CMakeLists.txt"


@dataclass(frozen=True, slots=True)
class Script:
    """The command of the script, the folder that it works in, and what it makes there."""

    argv: tuple[str, ...]
    work: Path
    library: Path
    package: Path


def write(plan: Plan, dirs: StepDirs, folder: Path) -> Script:
    """Write the script's input: how the pipeline has made a package.

    The script has folders of its own in place of the step directories; the rest is the same.
    """
    work, source = folder / "work", folder / "input"
    package = dirs.folder("package")
    folders = {
        dirs.patched: work / "tree",
        dirs.folder("configure"): work / "configure",
        dirs.stage: work / "stage",
        dirs.license: work / "LICENSE",
        package: work / "package",
    }
    copies = {package / name: source / "package" / name for name in ("macros", "rpmrc")}
    copies[package / f"{plan.name}.spec"] = source / "package" / f"{plan.name}.spec"
    configure = dirs.folder("configure")
    copies[configure / "toolchain.cmake"] = source / "configure" / "toolchain.cmake"
    for name in ("package", "configure"):
        (source / name).mkdir(parents=True)
    for profile in configure.glob("*.profdata"):
        shutil.copyfile(profile, source / "configure" / profile.name)
    for original, copy in copies.items():
        text = original.read_text(encoding="utf-8")
        copy.write_text(replaced(text, folders), encoding="utf-8")
    copy_tree(package / "fileattrs", source / "package" / "fileattrs")
    shutil.copyfile(dirs.archive, source / "archive")
    modes, patches = plan.package.modes, dirs.workspace.root / "patches" / plan.recipe.version
    lines = [
        _variable("input", source),
        _variable("work", work),
        _variable("library", plan.library),
        _variable("library_mode", modes.library),
        _variable("folder_mode", modes.folder),
        _variable("file_mode", modes.file),
        _array("patches", (f"{patches}/{patch.file}" for patch in plan.recipe.patch)),
        *_members(plan, source / "archive"),
        *(replaced(line, folders) for line in _commands(dirs)),
    ]
    settings = source / "settings"
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    library = work / "stage" / str(plan.library).lstrip("/")
    rpm = work / "package" / dirs.packages.name / plan.file_name
    return Script((str(SCRIPT), str(settings)), work, library, rpm)


def compare(script: Script, built: Built, stage: Path) -> str:
    """What is identical in the script's result and the pipeline's.

    Raises CompareError for another library: whatever makes another one may well be faster.
    """
    library = stage / script.library.relative_to(script.work / "stage")
    expected, got = sha256_of(library), sha256_of(script.library)
    if got != expected:
        raise CompareError(
            "the script makes another library than invoke build",
            expected=expected,
            got=got,
            file=script.argv[1],
            hint="adapt benchmarks/by_hand.py to the pipeline",
        )
    same = sha256_of(script.package) == built.sha256
    return "the same library and the same RPM" if same else "the same library"


def commands(log: Path) -> list[list[str]]:
    """The commands in a log of the pipeline, in order."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]


def replaced(text: str, folders: Mapping[Path, Path]) -> str:
    """A text with the script's folders in place of the step directories."""
    for folder, own in folders.items():
        text = text.replace(str(folder), str(own))
    return text


def _members(plan: Plan, archive: Path) -> list[str]:
    """Where the release's tree starts in the archive, and which of its files a build reads."""
    with tarfile.open(archive) as tar:
        names = {member.name for member in tar}
    trees = [name.removesuffix(_TREE) for name in names if name.endswith(_TREE)]
    base = min(trees, key=lambda name: (name.count("/"), name))
    wanted = [f"{base}/{entry.rstrip('/')}" for entry in plan.package.identity]
    # A release may lack one of them, as its recipe pins it; tar would fail at the name.
    members = [path for path in wanted if any(f"{name}/".startswith(f"{path}/") for name in names)]
    depth = base.count("/") + 1
    return [_variable("archive", archive), _variable("depth", depth), _array("members", members)]


def _commands(dirs: StepDirs) -> list[str]:
    steps = ("configure", "compile", "stage", "package")
    logged = {step: commands(dirs.log(step)) for step in steps}
    *support, configure = logged["configure"]
    if [1, 1, 1] != [len(logged[step]) for step in steps[1:]]:
        raise HostError("the pipeline no longer builds with the commands that by-hand.sh needs")
    return [
        _array("configure", configure),
        _array("compile", logged["compile"][0]),
        _array("install", logged["stage"][0]),
        _array("rpmbuild", logged["package"][0]),
        "support() {",
        *(f"    {shlex.join(command)}" for command in support or [["true"]]),
        "}",
    ]


def _variable(name: str, value: object) -> str:
    return f"{name}={shlex.quote(str(value))}"


def _array(name: str, values: Iterable[str]) -> str:
    return f"{name}=({shlex.join(values)})"
