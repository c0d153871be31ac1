"""The package step: render the spec, and let rpmbuild wrap up the staged files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pipeline import process
from pipeline.errors import HostError, PackageError
from pipeline.model import Plan
from pipeline.report import Report
from pipeline.workspace import Site, copy_tree

SPEC = Path("recipes") / "mimalloc-custom.spec.j2"
ATTRIBUTES = Path("recipes") / "fileattrs"


@cache
def version() -> str:
    """The version of the host's rpmbuild, such as ``4.18.0``."""
    told = process.read(["rpmbuild", "--version"], error=HostError, what="rpmbuild does not run")
    return told.split()[-1]


def run(plan: Plan, site: Site, report: Report) -> None:
    """Write the RPM into the step's room. Raises PackageError with rpmbuild's last lines."""
    room, root = site.room("package"), site.workspace.root
    spec = room / f"{plan.name}.spec"
    spec.write_text(render(plan, root, site.stage), encoding="utf-8")
    macros = room / "macros"
    macros.write_text(_macros(plan, site), encoding="utf-8")
    architectures = room / "rpmrc"
    architectures.write_text(_architectures(plan), encoding="utf-8")
    config = process.read(
        ["rpm", "--eval", "%{_rpmconfigdir}"], error=HostError, what="rpm does not run"
    ).strip()
    attributes = room / "fileattrs"
    copy_tree(root / ATTRIBUTES, attributes)
    # Relative to the room, because a colon in the checkout's path would split the list.
    read_instead = [
        f"{config}/macros",
        f"{config}/platform/{plan.processor.name}-linux/macros",
        *(str(file.relative_to(room)) for file in sorted(attributes.glob("*.attr"))),
        macros.name,
    ]
    process.run(
        [
            *("rpmbuild", "-bb", "--nodeps", "--with", "prebuilt", "--target", plan.arch),
            *("--rcfile", f"{config}/rpmrc:{architectures.name}"),
            *("--macros", ":".join(read_instead), spec),
        ],
        log=site.log("package"),
        error=PackageError,
        what=f"rpmbuild cannot make {plan.nevra}",
        cwd=room,
        env={"HOME": str(room), "SOURCE_DATE_EPOCH": str(plan.recipe.moment)},
    )


def render(plan: Plan, root: Path, stage: Path) -> str:
    """The spec of a plan, whose file list is what was staged."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(root / SPEC.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # a spec, not a page
    )
    return templates.get_template(SPEC.name).render(_words(plan, stage))


def _words(plan: Plan, stage: Path) -> dict[str, Any]:
    package, recipe = plan.package, plan.recipe
    prefix = stage / package.prefix.lstrip("/")
    entries = [prefix, *sorted(prefix.rglob("*"))]
    return {
        "plan": plan,
        "package": package,
        "recipe": recipe,
        "folders": [_installed(entry, stage) for entry in entries if _is_folder(entry)],
        "files": [_installed(entry, stage) for entry in entries if not _is_folder(entry)],
        "library": str(plan.library),
        "links": set(plan.links),
    }


def _is_folder(entry: Path) -> bool:
    return entry.is_dir() and not entry.is_symlink()


def _installed(entry: Path, stage: Path) -> str:
    return f"/{entry.relative_to(stage).as_posix()}"


def settings(plan: Plan) -> dict[str, str]:
    """rpmbuild's macros that decide what is in the package, whatever the host's own are."""
    package = plan.package
    return {
        "_buildhost": package.build_host,
        "_target_platform": plan.platform,
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


def _macros(plan: Plan, site: Site) -> str:
    """The macro file: where to work, then our settings; it is read last, so that they hold."""
    room = site.room("package")
    (room / "tmp").mkdir()
    places = {
        "_topdir": room / "top",
        "_tmppath": room / "tmp",
        "_dbpath": room / "db",
        "_rpmdir": site.packages,
        "_fileattrsdir": room / "fileattrs",
        "staged": site.stage,
    }
    escaped = {name: str(place).replace("%", "%%") for name, place in places.items()}
    macros = {**escaped, **settings(plan)}
    return "".join(f"%{name} {value}\n" for name, value in macros.items())
