"""The spec of a package, for staged files and for a build by itself; and the drop-in in it."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipeline.model import LICENSES, Plan
from pipeline.system.templates import fill

SPEC = Path("recipes") / "mimalloc-custom.spec.j2"
DEBUGINFO = Path("recipes") / "debuginfo.spec.j2"
DROPIN = Path("recipes") / "dropin.conf.j2"

# Made by rpm itself, or written in the spec's template.
_NOT_STAGED = ("/usr/lib/.build-id", LICENSES)


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
    subpackage = plan.subpackage
    licensed = [plan.name] if plan.has_license else []
    licensed += [subpackage.name] if subpackage else []
    return fill(
        root / SPEC,
        plan=plan,
        subpackage=subpackage,
        dropin=dropin(plan, root, subpackage.unit) if subpackage else "",
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


def dropin(plan: Plan, root: Path, unit: str) -> str:
    """The text of systemd's drop-in that starts a unit on the plan's library."""
    return fill(root / DROPIN, unit=unit, library=plan.preload)
