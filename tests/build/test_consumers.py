"""Other projects build with the files of a package: by pkg-config and cmake, shared and static."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.inspect import payload
from pipeline.model import Plan
from pipeline.smoke import consumers, probe
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler
from tests.build.conftest import NEWEST, ROOT, SEED, Package, Which, of_each, unpacked_in

PROJECT = Path(__file__).with_name("consumer")
PROGRAM = probe.PROBES / "consumer.c"
PROGRAMS = ("shared", "static", "object", "folder", "cxx")

Spoil = Callable[[Path, Path], None]


def _config(libraries: Path) -> Path:
    return next(libraries.glob("cmake/*/mimalloc-config.cmake"))


def _without_headers(libraries: Path, _: Path) -> None:
    file = libraries / "pkgconfig" / "mimalloc.pc"
    file.write_text(re.sub(r"(?<=/include)/\S+", "", file.read_text()))


def _without_archive(libraries: Path, _: Path) -> None:
    file = libraries / "pkgconfig" / "mimalloc.pc"
    file.write_text(file.read_text().replace("-L${objdir}", ""))


def _without_rpath(libraries: Path, _: Path) -> None:
    file = libraries / "pkgconfig" / "mimalloc.pc"
    file.write_text(file.read_text().replace("-Wl,-rpath,${libdir}", ""))


def _as_upstream(libraries: Path, tree: Path) -> None:
    shutil.copy(tree / "cmake" / "mimalloc-config.cmake", _config(libraries))


def _another_object(libraries: Path, _: Path) -> None:
    shutil.copy(libraries / "libmimalloc.so.3.4", libraries / "mimalloc-3.4" / "mimalloc.o")


@pytest.mark.parametrize(
    ("spoil", "name", "message"),
    [
        (_without_headers, consumers.PKG_CONFIG, "'mimalloc.h' file not found"),
        (_without_archive, consumers.PKG_CONFIG, "libmimalloc.a"),
        (_without_rpath, consumers.PKG_CONFIG, "libmimalloc.so.3: cannot open shared object file"),
        (_as_upstream, consumers.FIND_PACKAGE, "the object's folder: "),
        (_another_object, consumers.FIND_PACKAGE, "the object's folder: "),
    ],
)
def test_wrong_build_files_are_found(
    package: Package, checkout: Path, spoil: Spoil, name: str, message: str
) -> None:
    """The trial of the files that name what does not exist, and only that one, fails."""
    plan = package(NEWEST, "el8").plan
    dirs = unpacked_in(checkout, plan)
    tree = make.step(plan, workspace.locate(ROOT), Report(), "unpack") / "tree"
    spoil(payload.place(dirs.unpacked, plan.package.libraries), tree)

    results = {trial.name: trial for trial in consumers.run(plan, dirs)}

    assert [name] == [trial.name for trial in results.values() if not trial.passed]
    assert message in results[name].output


@of_each(Which(version, "el8") for version in (SEED, "2.0.9", NEWEST))
def test_a_stranger_builds_with_it(
    package: Package, as_root: list[str], tmp_path: Path, which: Which
) -> None:
    """With the host's compilers, in a staged root and where the package is installed."""
    plan, rpm = package(*which).plan, package(*which).rpm
    root = payload.unpack(rpm, tmp_path / "unpacked")
    prefix = payload.place(root, plan.package.prefix)
    # In a mount namespace, the package is where it is installed.
    script = 'mount -t tmpfs none "$1" && mkdir "$2" && mount --bind "$3" "$2" && shift 3 && "$@"'
    folders = ("/usr/local", plan.package.prefix, str(prefix))
    mount = [*(as_root or ["unshare", "--mount"]), "sh", "-ec", script, "sh", *folders]

    for place, before in ((prefix, list[str]()), (Path(plan.package.prefix), mount)):
        folder = tmp_path / ("installed" if before else "staged")
        folder.mkdir()
        commands = [*_by_cmake(plan, place, folder), *_by_pkg_config(plan, place, folder)]
        command = [*before, "sh", "-exc", "\n".join(commands)]
        done = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    programs = {compiler.program(name).parent for name in ("cmake", "ninja")}
    return {"PATH": os.pathsep.join([*map(str, programs), "/usr/bin", "/bin"])}


def _by_cmake(plan: Plan, prefix: Path, folder: Path) -> list[str]:
    shutil.copytree(PROJECT, folder / "project")
    wanted = ".".join(plan.recipe.version.split(".")[:2])
    # Debian's cmake, and so the one of the Python package here, does not search lib64 by itself.
    found = f"-Dmimalloc_DIR={prefix}/lib64/cmake/mimalloc-{wanted}"
    settings = f"-DPROGRAM={PROGRAM} -DMI_VERSION={plan.recipe.mi_version} -DWANTED={wanted}"
    return [
        f"cmake -G Ninja -S project -B build {found} {settings} -DCMAKE_INSTALL_PREFIX=$PWD/target",
        "cmake --build build --target install",
        *(f"build/{program} && target/bin/{program}" for program in PROGRAMS),
    ]


def _by_pkg_config(plan: Plan, prefix: Path, folder: Path) -> list[str]:
    if plan.recipe.version == SEED:
        return []  # its file list is fixed, and has no file for pkg-config
    ask = f"pkg-config --with-path={prefix}/lib64/pkgconfig --define-variable=prefix={prefix}"
    program = f"{PROGRAM} -DVERSION={plan.recipe.mi_version}"
    return [
        f"gcc {program} $({ask} --cflags --libs mimalloc) -o shared && ./shared",
        f"gcc -static {program} $({ask} --static --cflags --libs mimalloc) -o static && ./static",
    ]
