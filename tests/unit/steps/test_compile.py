"""`cmake`: its options, the options that it ignores, and what the installed files look like."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.model import Plan
from pipeline.model.errors import CompileError, ConfigureError, StageError
from pipeline.steps import compile, configure, stage
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, compiler
from tests.unit import release

# As cmake 3.31 ends its output, with one option that a release does not know.
IGNORED = """\
-- Configuring done (0.4s)
-- Generating done (0.0s)
CMake Warning:
  Manually-specified variables were not used by the project:

    MI_OPT_ARCH
    MI_NEW


-- Build files have been written to: /x/build
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of cmake and of ninja."""
    script = tmp_path / "program"
    monkeypatch.setattr(compiler, "cmake", lambda: script)
    monkeypatch.setattr(compiler, "ninja", lambda: script)
    monkeypatch.setattr(compiler, "support", lambda plan, root: [])

    def write(body: str) -> None:
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)

    return write


# --- options -------------------------------------------------------------------------------------


def test_options_put_everything_below_the_prefix(plan: Plan) -> None:
    """The prefix and the lib64 layout are given, never guessed."""
    found = cmake.options(plan)

    assert "/usr/local/nginx-dep" == found["CMAKE_INSTALL_PREFIX"]
    assert "lib64" == found["CMAKE_INSTALL_LIBDIR"]


def test_release_overrules_what_all_share(plan: Plan) -> None:
    """A recipe's option comes after the package's of the same name."""
    shared = plan.package.cmake
    assert "OFF" == shared["MI_SECURE"]
    odd = release.recast(plan, cmake={"MI_SECURE": "ON", "MI_NEW": "1"})

    assert {**shared, "MI_SECURE": "ON", "MI_NEW": "1"}.items() <= cmake.options(odd).items()


def test_flags_are_the_toolchains(plan: Plan) -> None:
    """One string each for compiler and linker; the build type adds no optimisation of its own."""
    found, flags = cmake.options(plan), compiler.flags(plan)

    assert " ".join(flags.compile) == found["CMAKE_C_FLAGS"]
    assert " ".join(flags.link) == found["CMAKE_SHARED_LINKER_FLAGS"]
    assert "-DNDEBUG" == found["CMAKE_C_FLAGS_RELEASE"]


# --- what cmake says -----------------------------------------------------------------------------


def test_ignored_options_are_refused(
    plan: Plan, folder: Callable[..., StepDirs], program: Callable[[str], None], tmp_path: Path
) -> None:
    """An option that upstream has dropped must not vanish in silence, though cmake exits with 0."""
    (tmp_path / "told").write_text(IGNORED)
    program(f"cat {tmp_path}/told")
    dirs = folder("configure")
    with pytest.raises(ConfigureError) as caught:
        configure.run(plan, dirs, Report())

    problem = caught.value
    assert "mimalloc 2.0.6 does not know MI_OPT_ARCH, MI_NEW" == problem.what
    assert dirs.log("configure") == problem.file
    assert "recipes/2.0.6.toml" in problem.hint
    assert 24 == problem.exit_code


def test_other_warnings_pass(
    plan: Plan, folder: Callable[..., StepDirs], program: Callable[[str], None], tmp_path: Path
) -> None:
    """A deprecation that cmake mentions is in the log, and no error."""
    program("echo 'CMake Deprecation Warning at CMakeLists.txt:1:'; echo '    MI_X'")
    dirs = folder("configure")
    configure.run(plan, dirs, Report())

    command, *told = dirs.log("configure").read_text().splitlines()
    assert ["CMake Deprecation Warning at CMakeLists.txt:1:", "    MI_X"] == told
    assert f"-S {dirs.patched} -B {dirs.build}" in command
    assert "-DMI_OVERRIDE=ON" in command.split()
    assert cmake.toolchain_file(plan) == (dirs.folder("configure") / "toolchain.cmake").read_text()


@pytest.mark.parametrize(
    ("step", "error", "what"),
    [
        ("configure", ConfigureError, "cmake cannot configure mimalloc 2.0.6"),
        ("compile", CompileError, "mimalloc 2.0.6 does not compile"),
        ("stage", StageError, "mimalloc 2.0.6 does not install"),
    ],
)
def test_failure_has_the_last_lines(
    plan: Plan,
    folder: Callable[..., StepDirs],
    program: Callable[[str], None],
    step: str,
    error: type[ConfigureError],
    what: str,
) -> None:
    """Each of the three steps fails with its own error, its own log and the program's words."""
    program("echo what went wrong >&2; exit 1")
    dirs = folder(step)
    with pytest.raises(error) as caught:
        getattr(compile, step)(plan, dirs, Report())

    problem = caught.value
    assert (what, dirs.log(step), "what went wrong") == (problem.what, problem.file, problem.detail)


def test_support_is_compiled_and_linked(
    plan: Plan,
    folder: Callable[..., StepDirs],
    program: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a toolchain adds to the library is compiled with the same flags, before cmake runs."""
    program(":")
    monkeypatch.setattr(compiler, "support", lambda plan, root: [Path("/some/extra.c")])
    monkeypatch.setattr(compiler, "command", lambda plan: ("true",))
    dirs = folder("configure")
    configure.run(plan, dirs, Report())
    first, second = dirs.log("configure").read_text().splitlines()
    made = dirs.folder("configure") / "extra.o"

    assert first.startswith(f"$ true {toolchain.flags(plan).compile[0]} ")
    assert first.endswith(f" -c /some/extra.c -o {made}")
    assert f"""'-DCMAKE_C_STANDARD_LIBRARIES="{made}"'""" in second


# --- what is installed ---------------------------------------------------------------------------


@pytest.fixture
def staged(
    plan: Plan, folder: Callable[..., StepDirs], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Path], object]], StepDirs]:
    """Runs the stage step with a function in the place of `cmake --install`."""
    dirs = folder("stage")

    def do(install: Callable[[Path], object]) -> StepDirs:
        monkeypatch.setattr(process, "run", lambda *_, **__: install(dirs.stage))
        stage.run(plan, dirs, Report())
        return dirs

    return do


def _install(root: Path) -> None:
    folder = root / "usr/local/nginx-dep/lib64"
    (folder / "cmake").mkdir(parents=True, mode=0o700)
    for name, mode in (("libmimalloc.so.2.0", 0o600), ("cmake/mimalloc.cmake", 0o777)):
        (folder / name).touch()
        (folder / name).chmod(mode)
    (folder / "libmimalloc.so.2").symlink_to("libmimalloc.so.2.0")


def test_modes_and_times_are_the_packages(
    plan: Plan, staged: Callable[[Callable[[Path], object]], StepDirs]
) -> None:
    """Whatever the umask, the user and the clock are: modes of the package, time of the tag."""
    root = staged(_install).stage
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
KEPT = (
    "lib64/libmimalloc-secure.so",
    "lib64/libmimalloc-secure.so.2.0",
    "lib64/mimalloc-2.0/mimalloc-secure.o",
)


def _left(plan: Plan, root: Path) -> list[str]:
    """Install the files, leave out, and tell what is there: files, links and folders."""
    prefix = root / plan.package.prefix.lstrip("/")
    for name in (*OMITTED, *KEPT):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).touch()
    (prefix / KEPT[0]).unlink()
    (prefix / KEPT[0]).symlink_to(Path(KEPT[1]).name)
    (prefix / "lib64/cmake/link").symlink_to("mimalloc-2.0")
    compile._leave_out(plan, root)
    return sorted(str(file.relative_to(prefix)) for file in prefix.rglob("*"))


def test_a_flavor_leaves_out_what_the_plain_package_has(project: Path, tmp_path: Path) -> None:
    """The files, a link to a folder among them, and the folders that are empty without them."""
    plan = selection.plan(project, "2.0.6", "el7", "x86_64", "secure")

    assert sorted(["lib64", "lib64/mimalloc-2.0", *KEPT]) == _left(plan, tmp_path)


def test_a_plain_package_leaves_out_nothing(plan: Plan, tmp_path: Path) -> None:
    """Whatever upstream installs."""
    left = _left(plan, tmp_path)

    assert {*OMITTED, *KEPT, "lib64/cmake/link"} <= set(left)


def test_a_flavor_is_staged_without_what_it_leaves_out(
    project: Path, folder: Callable[..., StepDirs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the step itself, and what is left has the package's modes and time."""
    plan = selection.plan(project, "2.0.6", "el7", "x86_64", "secure")
    dirs = folder("stage")
    library = dirs.stage / str(plan.library).lstrip("/")

    def install(*_: object, **__: object) -> None:
        for file in (library, library.parents[1] / "include/mimalloc-2.0/mimalloc.h"):
            file.parent.mkdir(parents=True)
            file.touch(mode=0o600)

    monkeypatch.setattr(process, "run", install)
    stage.run(plan, dirs, Report())

    files = [file for file in dirs.stage.rglob("*") if not file.is_dir()]
    assert [library] == files
    assert 0o755 == library.stat().st_mode & 0o7777
    assert plan.recipe.moment == int(library.stat().st_mtime)


def test_a_flavors_options_overrule_the_rest(project: Path) -> None:
    """They are what makes it."""
    plain, secure = selection.plans(
        project, Selection(version="2.0.6", flavor="plain,secure", arch="x86_64")
    )
    changed = set(cmake.options(secure).items()) - set(cmake.options(plain).items())

    assert {("MI_SECURE", "ON")} == changed


@pytest.mark.parametrize(
    "path", ["usr/lib/x", "usr/local/nginx-dep-2/x", "etc/x", "usr/local/bin/x"]
)
def test_file_out_of_the_prefix(
    staged: Callable[[Callable[[Path], object]], StepDirs], path: str
) -> None:
    """A release that installs elsewhere does not get that far."""

    def install(root: Path) -> None:
        _install(root)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()

    with pytest.raises(StageError, match="installed out of the prefix") as caught:
        staged(install)

    assert "/usr/local/nginx-dep/..." == caught.value.expected
    assert 26 == caught.value.exit_code


def test_device_in_the_prefix(staged: Callable[[Callable[[Path], object]], StepDirs]) -> None:
    """What is neither a file nor a folder nor a link is in no package."""

    def install(root: Path) -> None:
        _install(root)
        os.mkfifo(root / "usr/local/nginx-dep/fifo")

    with pytest.raises(StageError, match="neither a file nor a folder nor a link") as caught:
        staged(install)

    assert str(caught.value.file).endswith("/fifo")
