"""How rpmbuild is called: with our settings, and none of the host's or the user's."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError, PackageError
from pipeline.system import process
from pipeline.system.checksum import digest_of_files
from pipeline.system.workspace import copy_tree

ATTRIBUTES = Path("recipes") / "fileattrs"


@cache
def version() -> str:
    """The version of the host's rpmbuild, such as ``4.18.0``."""
    told = process.read(["rpmbuild", "--version"], error=HostError, what="rpmbuild does not run")
    if not told.strip():
        raise HostError("rpmbuild does not tell its version", hint="invoke doctor")
    return told.split()[-1]


def attributes_digest(root: Path) -> str:
    """One digest of what rpm is told to look for in files."""
    return digest_of_files((root / ATTRIBUTES).glob("*.attr"))


def run(
    mode: tuple[str, ...],
    spec: Path,
    plan: Plan,
    root: Path,
    places: Mapping[str, Path],
    log: Path,
    *,
    platform: str = "",
) -> None:
    """Call rpmbuild on a spec, whose folder it works in.

    ``mode`` are the arguments that say what to build, ``places`` macros that name a folder, and
    ``root`` is the checkout; ``platform`` is another than the plan's. Raises PackageError with
    rpmbuild's last lines.
    """
    folder = spec.parent
    macros, architectures, attributes = folder / "macros", folder / "rpmrc", folder / "fileattrs"
    macros.write_text(_macros(plan, folder, places, platform), encoding="utf-8")
    architectures.write_text(_architectures(plan), encoding="utf-8")
    copy_tree(root / ATTRIBUTES, attributes)
    config = process.read(
        ["rpm", "--eval", "%{_rpmconfigdir}"], error=HostError, what="rpm does not run"
    ).strip()
    # Relative to the room, because a colon in the checkout's path would split the list.
    read_instead = [
        f"{config}/macros",
        f"{config}/platform/{plan.processor.name}-linux/macros",
        *(str(file.relative_to(folder)) for file in sorted(attributes.glob("*.attr"))),
        macros.name,
    ]
    process.run(
        [
            *("rpmbuild", *mode, "--nodeps", "--target", plan.arch),
            *("--rcfile", f"{config}/rpmrc:{architectures.name}"),
            *("--macros", ":".join(read_instead), spec),
        ],
        log=log,
        error=PackageError,
        what=f"rpmbuild cannot make {plan.nevra}",
        cwd=folder,
        env={"HOME": str(folder), "SOURCE_DATE_EPOCH": str(plan.recipe.moment)},
    )


def settings(plan: Plan) -> dict[str, str]:
    """rpmbuild's macros that decide what is in the package, whatever the host's own are."""
    package = plan.package
    return {
        "_buildhost": package.build_host,
        "_target_platform": plan.platform,
        "dist": f".{plan.root.dist}",
        "packager": package.packager,
        "vendor": package.vendor,
        **package.macros,
        **plan.root.rpm.macros,
    }


def _architectures(plan: Plan) -> str:
    """What rpm is told of an architecture that is younger than the rpm of the host may be."""
    arch, processor = plan.arch, plan.processor.name
    if arch == processor:
        return ""
    return "".join(
        f"{line}\n"
        for line in (
            f"arch_canon: {arch}: {processor} 1",
            f"buildarchtranslate: {arch}: {processor}",
            f"arch_compat: {arch}: {processor} noarch",
            f"buildarch_compat: {processor}: {arch}",
            f"buildarch_compat: {arch}: noarch",
            f"archcolor: {arch} 2",
        )
    )


def _macros(plan: Plan, folder: Path, places: Mapping[str, Path], platform: str) -> str:
    """The macro file: where to work, then our settings; it is read last, so that they hold."""
    (folder / "tmp").mkdir()
    working = {
        "_topdir": folder / "top",
        "_tmppath": folder / "tmp",
        "_dbpath": folder / "db",
        "_fileattrsdir": folder / "fileattrs",
    }
    escaped = {name: str(place).replace("%", "%%") for name, place in {**working, **places}.items()}
    macros = {**escaped, **settings(plan)}
    macros |= {"_target_platform": platform} if platform else {}
    return "".join(f"%{name} {value}\n" for name, value in macros.items())
