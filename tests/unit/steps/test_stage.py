"""`stage`: the modes, the times and the places of installed files, and what a flavor omits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.model import Plan
from pipeline.model.errors import StageError
from pipeline.steps import stage
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs

Stage = Callable[[Plan, Callable[[Path], object]], Path]


@pytest.fixture
def run(make_dirs: Callable[..., StepDirs], monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Runs the step with a function in place of `cmake --install`; returns the stage folder."""
    dirs = make_dirs("stage", "patch")
    dirs.patched.mkdir(parents=True)
    (dirs.patched / "LICENSE").write_text("MIT\n")

    def do(plan: Plan, install: Callable[[Path], object]) -> Path:
        monkeypatch.setattr(process, "run", lambda *_, **__: install(dirs.stage))
        stage.run(plan, dirs, Report())
        return dirs.stage

    return do


def _install(root: Path) -> None:
    folder = root / "usr/local/nginx-dep/lib64"
    (folder / "cmake").mkdir(parents=True, mode=0o700)
    for name, mode in (("libmimalloc.so.2.0", 0o600), ("cmake/mimalloc.cmake", 0o777)):
        (folder / name).touch()
        (folder / name).chmod(mode)
    (folder / "libmimalloc.so.2").symlink_to("libmimalloc.so.2.0")


def test_modes_and_times_are_the_packages(plan: Plan, run: Stage) -> None:
    """Whatever the umask, the user and the clock are: modes of the package, time of the tag."""
    root = run(plan, _install)
    moment = int(plan.recipe.released.timestamp())
    modes = {
        str(file.relative_to(root / "usr/local/nginx-dep/lib64")): file.stat().st_mode & 0o7777
        for file in (root / "usr/local/nginx-dep/lib64").rglob("*")
        if not file.is_symlink()
    }

    assert {"cmake": 0o755, "cmake/mimalloc.cmake": 0o644, "libmimalloc.so.2.0": 0o755} == modes
    assert {moment} == {int(file.lstat().st_mtime) for file in root.rglob("*")}


OMITTED = (
    "include/mimalloc-2.0/mimalloc.h",
    "include/mimalloc-2.0/mimalloc/types.h",
    "lib64/cmake/mimalloc-2.0/mimalloc.cmake",
    "lib64/pkgconfig/mimalloc.pc",
)
INCLUDED = (
    "lib64/libmimalloc-secure.so",
    "lib64/libmimalloc-secure.so.2.0",
    "lib64/mimalloc-2.0/mimalloc-secure.o",
)


def _install_secure(root: Path) -> None:
    prefix = root / "usr/local/nginx-dep"
    for name in (*OMITTED, *INCLUDED):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).touch(mode=0o600)
    (prefix / INCLUDED[0]).unlink()
    (prefix / INCLUDED[0]).symlink_to(Path(INCLUDED[1]).name)
    (prefix / "lib64/cmake/link").symlink_to("mimalloc-2.0")


def test_a_flavor_omits_what_the_plain_package_has(project: Path, run: Stage) -> None:
    """Files, a link to a folder, and the folders that are empty without them."""
    plan = selection.plan(project, "2.0.6", "el7", "x86_64", "secure")
    root = run(plan, _install_secure)
    prefix = root / "usr/local/nginx-dep"
    library = root / str(plan.library).lstrip("/")

    names = [str(file.relative_to(prefix)) for file in prefix.rglob("*")]
    assert sorted(["lib64", "lib64/mimalloc-2.0", *INCLUDED]) == sorted(names)
    assert 0o755 == library.stat().st_mode & 0o7777
    assert {plan.recipe.moment} == {int(file.lstat().st_mtime) for file in root.rglob("*")}


def test_a_plain_package_omits_nothing(plan: Plan, run: Stage) -> None:
    """Whatever upstream installs."""
    prefix = run(plan, _install_secure) / "usr/local/nginx-dep"

    names = {str(file.relative_to(prefix)) for file in prefix.rglob("*")}
    assert {*OMITTED, *INCLUDED, "lib64/cmake/link"} <= names


def test_failure_has_the_last_lines(
    plan: Plan, make_dirs: Callable[..., StepDirs], program: Callable[[str], None]
) -> None:
    """The error has the step's log and the program's output."""
    program("echo what went wrong >&2; exit 1")
    dirs = make_dirs("stage")
    with pytest.raises(StageError, match=r"mimalloc 2\.0\.6 does not install") as caught:
        stage.run(plan, dirs, Report())

    assert (dirs.log("stage"), "what went wrong") == (caught.value.file, caught.value.detail)


@pytest.mark.parametrize(
    "path", ["usr/lib/x", "usr/local/nginx-dep-2/x", "etc/x", "usr/local/bin/x"]
)
def test_file_outside_of_the_prefix(plan: Plan, run: Stage, path: str) -> None:
    """A release that installs elsewhere is refused."""

    def install(root: Path) -> None:
        _install(root)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()

    with pytest.raises(StageError, match="installed out of the prefix") as caught:
        run(plan, install)

    assert "/usr/local/nginx-dep/..." == caught.value.expected
    assert 26 == caught.value.exit_code
