"""Whether other projects find the files of a package by pkg-config and by cmake's find_package."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipeline.inspect import payload
from pipeline.model import Plan, Trial, holds
from pipeline.model.errors import SmokeError
from pipeline.smoke import probe
from pipeline.system import process
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, emulator

PKG_CONFIG, FIND_PACKAGE = "pkg-config", "find-package"

# Where upstream installs its files for both, below the library's folder.
_PKG_CONFIG_FILE, _CMAKE = PurePosixPath("pkgconfig/mimalloc.pc"), PurePosixPath("cmake")

_PRINTED = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


def names(plan: Plan) -> tuple[str, ...]:
    """The trials of a package; a flavor without these files has none."""
    folder = plan.package.libraries.relative_to(plan.package.prefix) / _CMAKE
    return () if holds(plan.flavor.omitted, folder / "file") else (PKG_CONFIG, FIND_PACKAGE)


def run(plan: Plan, dirs: StepDirs) -> list[Trial]:
    """Link programs with what both name, and run them, without a variable for the loader."""
    functions = {PKG_CONFIG: _by_pkg_config, FIND_PACKAGE: _by_find_package}
    trials = []
    for name in names(plan):
        try:
            faults = functions[name](plan, dirs)
        except SmokeError as error:
            faults = [f"{error.what}\n{error.detail}".strip()]
        trials.append(Trial(name, not faults, "\n".join(faults or ["programs build and run"])))
    return trials


def _by_pkg_config(plan: Plan, dirs: StepDirs) -> list[str]:
    """What is wrong with the flags of pkg-config; a package without its file has passed."""
    file = payload.place(dirs.unpacked, plan.package.libraries / _PKG_CONFIG_FILE)
    if not file.is_file():
        return []
    fields = _fields(file.read_text(encoding="utf-8"), _installed(plan, dirs))
    shared = [*fields["Cflags"], *fields["Libs"]]
    # As for a program without shared libraries; the probe itself stays dynamic.
    archive = [f"-l:lib{plan.base}.a" if x == f"-l{plan.base}" else x for x in shared]
    return [
        *_runs(plan, dirs, "pkg-config", shared),
        *_runs(plan, dirs, "pkg-config --static", [*archive, *fields["Libs.private"]]),
    ]


def _fields(text: str, prefix: Path) -> dict[str, list[str]]:
    """The words of each field of a pkg-config file, as with another prefix."""
    variables = {name: value.strip() for name, value in _PRINTED.findall(text)}
    variables["prefix"] = str(prefix)

    def expand(value: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: expand(variables.get(found[1], "")), value)

    fields = re.findall(r"^([\w.]+):(.*)$", text, re.MULTILINE)
    empty = {name: list[str]() for name in ("Cflags", "Libs", "Libs.private")}
    return empty | {name: expand(value).split() for name, value in fields}


def _by_find_package(plan: Plan, dirs: StepDirs) -> list[str]:
    """What is wrong with the variables and the targets that find_package defines."""
    folder, prefix = dirs.folder("check") / "find_package", _installed(plan, dirs)
    folder.mkdir(exist_ok=True)
    project = (probe.PROBES / "find_package.cmake").read_text(encoding="utf-8")
    (folder / "CMakeLists.txt").write_text(project, encoding="utf-8")
    output = process.read(
        [*cmake.command(folder, folder / "build"), f"-Dmimalloc_ROOT={prefix}"],
        error=SmokeError("find_package(mimalloc) fails"),
    )
    found = dict(_PRINTED.findall(output))
    missing = [f"{name}: {value or 'not set'}" for name, value in found.items() if not _is(value)]
    if missing or not found:
        return ["no such file or folder:", *missing]
    libraries, objects = found["MIMALLOC_LIBRARY_DIR"], found["MIMALLOC_OBJECT_DIR"]
    search, include = f"-Wl,-rpath,{libraries}", f"-I{found['MIMALLOC_INCLUDE_DIR']}"
    targets = f"-I{found['mimalloc_include']}"
    ways = {
        "the library's folder": [include, f"-L{libraries}", search, f"-l{plan.base}"],
        "the object's folder": [include, f"{objects}/{plan.base}.o"],
        "the target mimalloc": [targets, found["mimalloc_location"], search],
        "the target mimalloc-static": [targets, found["static_location"]],
    }
    return [fault for way, words in ways.items() for fault in _runs(plan, dirs, way, words)]


def _is(value: str) -> bool:
    return bool(value) and Path(value).exists()


def _installed(plan: Plan, dirs: StepDirs) -> Path:
    return payload.place(dirs.unpacked, plan.package.prefix)


def _runs(plan: Plan, dirs: StepDirs, way: str, words: Sequence[str]) -> list[str]:
    """What is wrong with a program that is compiled with these words."""
    program = dirs.folder("check") / "consumer"
    version = f"-DVERSION={plan.recipe.mi_version}"
    try:
        probe.compiled(
            "consumer", plan, dirs.workspace, program, dirs.log("check"), version, *words
        )
    except SmokeError as error:
        return [f"{way}: {error.what}", error.detail]
    command = emulator.start([program], {}, emulator.runner(plan))
    trial = probe.attempt("consumer", command, dirs.folder("check"))
    return [] if trial.passed else [f"{way}: {trial.output}"]
