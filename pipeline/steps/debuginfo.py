"""The debuginfo step: the library once more, with debug information, packaged with its sources."""

import os
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipeline.model import Facts, Image, Plan
from pipeline.model.errors import CheckError, CompileError
from pipeline.system import process
from pipeline.system.checksum import digest_of_files
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, compiler, rpmbuild, spec


def inputs(plan: Plan, root: Path) -> object:
    """The whole plan, and the template of the spec."""
    return replace(plan, user_source=None), digest_of_files([root / spec.DEBUGINFO])


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Write the RPM into the step directory, checked. Raises CheckError with every finding.

    The library is compiled and linked as that of the package, which is not changed. It is the same
    in memory, and has the same build-id.
    """
    from pipeline.inspect import debuginfo, package, payload

    folder, root = dirs.folder("debuginfo"), dirs.workspace.root
    library = debuginfo.read(payload.place(dirs.unpacked, plan.library))
    file = _compile(plan, dirs, library.build_id)
    debug, stage = debuginfo.read(file), folder / "root"
    _copy(file, payload.place(stage, plan.debuginfo.file(library.build_id)))
    for path in sorted(debug.sources):
        if (source := PurePosixPath(path)).is_relative_to(plan.debuginfo.sources):
            inner = source.relative_to(plan.debuginfo.sources)
            for place in (dirs.patched, root):
                if (place / inner).is_file():
                    _copy(place / inner, payload.place(stage, path))
                    break
    _date(stage, plan)
    text = spec.render_debuginfo(plan, root, spec.staged(stage), library.build_id)
    macros, target = {"staged": str(stage)}, folder / "package"
    rpm = rpmbuild.run(plan, root, target, text, plan.debuginfo.file_name, macros)
    names = tuple(package.names_of_host(dirs))
    facts = package.read(rpm, folder / "check", library=plan.library, names=names)
    _check(facts, plan, library, debug, rpm)


def _compile(plan: Plan, dirs: StepDirs, build_id: str) -> Path:
    """The library with debug information, in which no folder of this host has its own name."""
    folder, planned = dirs.folder("debuginfo"), plan.debuginfo
    folders = {
        folder: planned.sources,
        dirs.patched: planned.sources,
        dirs.workspace.root / "buildroot": planned.sources / "buildroot",
    }
    if plan.compiler.target:  # zig finds its headers beside its program, whatever leads there
        headers = PurePosixPath(plan.package.debuginfo.headers)
        folders[compiler.program("zig").resolve().parent] = headers
    own = compiler.debug_flags(plan, folders, build_id)
    build = cmake.configure(plan, dirs.patched, folder, dirs.workspace, own)
    threads = dirs.options.threads or process.cores()
    process.run(
        [compiler.program("ninja"), "-C", build, f"-j{threads}", plan.library.name],
        log=dirs.log("debuginfo"),
        error=CompileError(f"{plan.nevra} does not compile with debug information"),
        env=compiler.environment(plan, dirs.workspace),
    )
    return build / plan.library.name


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def _date(stage: Path, plan: Plan) -> None:
    """Give files and folders the modes and the time of the package."""
    modes = plan.package.modes
    for file in sorted(stage.rglob("*"), reverse=True):  # a folder comes after its files
        file.chmod(int(modes.folder if file.is_dir() else modes.file, 8))
        os.utime(file, (plan.recipe.moment, plan.recipe.moment))


def _check(facts: Facts, plan: Plan, library: Image, debug: Image, rpm: Path) -> None:
    from pipeline.checks.debuginfo import check_debuginfo

    if findings := check_debuginfo(facts, plan, library, debug):
        raise CheckError(
            f"{rpm.name} does not pass the checks: {len(findings)} finding(s)",
            detail="\n".join(line for finding in findings for line in finding.lines()),
            file=rpm,
            hint="rpm -qlp, rpm -qip and readelf -a show what the findings are about",
        )
