"""How rpmbuild is run: with our settings, and none of the host's or the user's."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError, PackageError
from pipeline.system import process
from pipeline.system.checksum import digest_of_files
from pipeline.system.workspace import copy_tree
from pipeline.toolchain.spec import SPEC, sources

ATTRIBUTES = Path("recipes") / "fileattrs"


@cache
def version() -> str:
    """The version of the host's rpmbuild, such as ``4.18.0``."""
    text = process.read(["rpmbuild", "--version"], error=HostError("rpmbuild does not run"))
    if not text.strip():
        raise HostError("rpmbuild does not print its version", hint="invoke doctor")
    return text.split()[-1]


def inputs(plan: Plan, root: Path) -> tuple[str, str]:
    """What a package depends on besides its plan: rpmbuild and the files that are read for it."""
    attributes = (root / ATTRIBUTES).glob("*.attr")
    return version(), digest_of_files([root / SPEC, *sources(plan, root), *attributes])


def for_first_machine(plan: Plan) -> Plan:
    """The plan for the first machine of its dist: for what must be the same for all of them."""
    return replace(plan, arch=next(iter(plan.root.machine)))


def run(
    plan: Plan, root: Path, folder: Path, text: str, result: str, macros: Mapping[str, str]
) -> Path:
    """Run rpmbuild in ``folder`` on a spec with this text; ``root`` is the checkout.

    It must write ``result``: RPMs of staged files, or the source RPM. The macros are set for this
    run only. Raises PackageError with rpmbuild's last lines, or where the RPM is missing.
    """
    (folder / "tmp").mkdir(parents=True)
    copy_tree(root / ATTRIBUTES, folder / "fileattrs")
    (folder / "macros").write_text(_macros(plan, folder, macros), encoding="utf-8")
    (folder / "rpmrc").write_text(architectures(plan), encoding="utf-8")
    spec = folder / f"{plan.name}.spec"
    spec.write_text(text, encoding="utf-8")
    spec.chmod(0o644)
    os.utime(spec, (plan.recipe.moment, plan.recipe.moment))
    argv = ["rpm", "--eval", "%{_rpmconfigdir}"]
    config = process.read(argv, error=HostError("rpm does not run")).strip()
    # Ours are relative to the folder: a colon in the checkout's path would split the list.
    files = [
        f"{config}/macros",
        f"{config}/platform/{plan.processor.name}-linux/macros",
        *(f"fileattrs/{file.name}" for file in sorted((folder / "fileattrs").glob("*.attr"))),
        "macros",
    ]
    mode = ("-bs",) if result == plan.source_name else ("-bb", "--with", "prebuilt")
    process.run(
        [
            *("rpmbuild", *mode, "--nodeps", "--target", plan.arch),
            *("--rcfile", f"{config}/rpmrc:rpmrc", "--macros", ":".join(files), spec),
        ],
        log=folder / "log",
        error=PackageError(f"rpmbuild cannot make {result}"),
        cwd=folder,
        env={"HOME": str(folder), "SOURCE_DATE_EPOCH": str(plan.recipe.moment)},
    )
    rpm = folder / "rpms" / result
    if not rpm.is_file():  # the program may be a wrapper that does something else
        what = f"rpmbuild has not written {rpm.name}"
        raise PackageError(what, file=folder / "log", hint="invoke doctor")
    return rpm


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


def architectures(plan: Plan) -> str:
    """Lines of an rpmrc file for an architecture that the host's rpm may be too old for."""
    arch, processor = plan.arch, plan.processor.name
    if arch == processor:
        return ""
    return f"""\
arch_canon: {arch}: {processor} 1
buildarchtranslate: {arch}: {processor}
arch_compat: {arch}: {processor} noarch
buildarch_compat: {processor}: {arch}
buildarch_compat: {arch}: noarch
archcolor: {arch} 2
"""


def _macros(plan: Plan, folder: Path, macros: Mapping[str, str]) -> str:
    """The macro file: working folders, our settings, those of this run; it is read last."""
    names = {"_topdir": "top", "_tmppath": "tmp", "_dbpath": "db", "_fileattrsdir": "fileattrs"}
    names |= {"_rpmdir": "rpms", "_srcrpmdir": "rpms"}
    folders = {macro: str(folder / name) for macro, name in names.items()}
    own = {name: value.replace("%", "%%") for name, value in {**folders, **macros}.items()}
    lines = {**settings(plan), **own}.items()
    return "".join(f"%{name} {value}\n" for name, value in lines)
