"""The spec of a package, for staged files and for a build by itself; and the drop-in in it."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipeline.model import BUILD_IDS, LICENSES, PLAIN, Plan
from pipeline.model.errors import RequestError
from pipeline.system import process
from pipeline.system.templates import fill

SPEC = Path("recipes") / "mimalloc-custom.spec.j2"
DEBUGINFO = Path("recipes") / "debuginfo.spec.j2"
# The tool of administrators writes drop-ins; so it does for us.
TOOL = Path("recipes") / "tools" / "mimalloc-custom"

# Made by rpm itself, or written in the spec's template.
_NOT_STAGED = (BUILD_IDS, LICENSES)


def staged(stage: Path) -> list[str]:
    """The installed paths of the files and links below the stage folder."""
    files = (file for file in sorted(stage.rglob("*")) if file.is_symlink() or not file.is_dir())
    return [f"/{file.relative_to(stage).as_posix()}" for file in files]


def render(plan: Plan, root: Path, paths: Sequence[str]) -> str:
    """The text of the spec; ``paths`` are those of a manifest or of staged files.

    The folders are those above the files, whether a manifest lists them or not.
    """
    paths = [path for path in paths if not path.startswith(_NOT_STAGED)]
    above = {folder for path in paths for folder in PurePosixPath(path).parents}
    inside = (folder for folder in sorted(above) if folder.is_relative_to(plan.package.prefix))
    folders = list(map(str, inside))
    owned = [] if plan.recipe.folders == "swept" else folders[1:]
    licensed = [plan.name] if plan.has_license else []
    licensed += [subpackage.name for subpackage in plan.subpackages]
    return fill(
        root / SPEC,
        plan=plan,
        package=plan.package,
        recipe=plan.recipe,
        folders=folders,
        owned=owned,
        files=[path for path in paths if path not in folders],
        library=str(plan.library),
        options=plan.options,
        licenses=LICENSES,
        licensed=licensed,
    )


def render_debuginfo(plan: Plan, root: Path, files: Sequence[str], build_id: str) -> str:
    """The text of the spec of debug information, for staged files; it owns the folders of both."""
    planned = plan.debuginfo
    above = {folder for file in files for folder in PurePosixPath(file).parents}
    own = (planned.folder, planned.sources)
    return fill(
        root / DEBUGINFO,
        plan=plan,
        debuginfo=planned,
        package=plan.package,
        recipe=plan.recipe,
        folders=sorted(str(one) for one in above if any(map(one.is_relative_to, own))),
        files=files,
        build_id=build_id,
    )


def sources(plan: Plan, root: Path) -> list[Path]:
    """The files that those of the plan's sub-packages are made of."""
    files = (file.source for subpackage in plan.subpackages for file in subpackage.file)
    return [root / TOOL, *(root / "recipes" / source for source in files if source)]


def contents(plan: Plan, root: Path) -> dict[str, str]:
    """The files of the plan's sub-packages: installed path to text."""
    texts = {}
    for subpackage in plan.subpackages:
        for file in subpackage.file:
            if file.source:
                text = (root / "recipes" / file.source).read_text(encoding="utf-8")
            else:
                text, _ = dropin(plan, root, subpackage.unit)
            texts[file.path] = text
    return texts


def write_sources(plan: Plan, root: Path, folder: Path) -> None:
    """Write these files into the folder of the spec's sources, by their names."""
    for path, text in contents(plan, root).items():
        (folder / PurePosixPath(path).name).write_text(text, encoding="utf-8")


def dropin(plan: Plan, root: Path, unit: str) -> tuple[str, str]:
    """The text of systemd's drop-in that starts a unit on the plan's library, and a warning if any.

    The tool names the settings of all releases, because its files outlive an upgrade; those that
    this release does not know are left out. Raises RequestError for what is not a service's name.
    """
    command = ["sh", str(root / TOOL), "dropin", "--library", str(plan.preload), "--", unit]
    code, text, message = process.attempt(command)
    if code:
        got = unit or "nothing"
        raise RequestError("--unit", expected="the name of a service", got=got, detail=message)
    settings = [one for sub in plan.package.flavor[PLAIN].subpackage for one in sub.setting]
    for setting in settings:
        if not setting.known(plan.recipe.version):
            text = text.replace(f"Environment={setting.variable}\n", "")
    return text, message.strip()
