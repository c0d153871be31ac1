"""`configure`: how cmake is called, and the options that it ignores."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import ConfigureError
from pipeline.steps import configure
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import cmake, compiler
from tests.unit import release

# The end of cmake 3.31's output, with two options that a release does not have.
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
def dirs(make_dirs: Callable[..., StepDirs]) -> StepDirs:
    """The directory of this step."""
    return make_dirs("configure")


def test_ignored_options_are_refused(
    plan: Plan, dirs: StepDirs, program: Callable[[str], None], tmp_path: Path
) -> None:
    """An option that upstream has dropped is an error, though cmake exits with 0."""
    (tmp_path / "output").write_text(IGNORED)
    program(f"cat {tmp_path}/output")
    with pytest.raises(ConfigureError) as caught:
        configure.run(plan, dirs, Report())

    problem = caught.value
    assert "mimalloc 2.0.6 has no option MI_OPT_ARCH, MI_NEW" == problem.what
    assert dirs.log("configure") == problem.file
    assert "recipes/2.0.6.toml" in problem.hint
    assert 24 == problem.exit_code


def test_other_warnings_pass(plan: Plan, dirs: StepDirs, program: Callable[[str], None]) -> None:
    """A deprecation that cmake mentions is in the log, and no error."""
    program("echo 'CMake Deprecation Warning at CMakeLists.txt:1:'; echo '    MI_X'")
    configure.run(plan, dirs, Report())

    command, *output = dirs.log("configure").read_text().splitlines()
    assert ["CMake Deprecation Warning at CMakeLists.txt:1:", "    MI_X"] == output
    assert f"-S {dirs.patched} -B {dirs.build}" in command
    assert "-DMI_OVERRIDE=ON" in command.split()
    assert (
        compiler.toolchain_file(plan) == (dirs.folder("configure") / "toolchain.cmake").read_text()
    )


def test_failure_has_the_last_lines(
    plan: Plan, dirs: StepDirs, program: Callable[[str], None]
) -> None:
    """The error has the step's log and the program's output."""
    program("echo what went wrong >&2; exit 1")
    with pytest.raises(ConfigureError, match="cmake cannot configure mimalloc") as caught:
        configure.run(plan, dirs, Report())

    assert (dirs.log("configure"), "what went wrong") == (caught.value.file, caught.value.detail)


def test_support_is_compiled_and_linked(
    plan: Plan,
    dirs: StepDirs,
    program: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a toolchain adds to the library is compiled with the same flags, before cmake runs."""
    program(":")
    monkeypatch.setattr(compiler, "support", lambda plan, root: [Path("/some/extra.c")])
    monkeypatch.setattr(compiler, "command", lambda plan: ("true",))
    configure.run(plan, dirs, Report())
    first, second = dirs.log("configure").read_text().splitlines()
    target = dirs.folder("configure") / "extra.o"

    assert first.startswith(f"$ true {compiler.flags(plan).compile[0]} ")
    assert first.endswith(f" -c /some/extra.c -o {target}")
    assert f"""'-DCMAKE_C_STANDARD_LIBRARIES="{target}"'""" in second


def test_the_profile_has_its_checksum_as_its_name(
    plan: Plan,
    dirs: StepDirs,
    program: Callable[[str], None],
    checkout: Path,
) -> None:
    """The compiler's own cache does not look into it. The content is that of the recipe's."""
    program(":")
    file = checkout / load.PROFILES / f"{plan.recipe.version}.profdata"
    plan = release.recast(plan, profile=f"sha256:{sha256_of(file)}")
    configure.run(plan, dirs, Report())
    copy = dirs.folder("configure") / f"{sha256_of(file)}.profdata"
    log = dirs.log("configure").read_text()

    assert file.read_bytes() == copy.read_bytes()
    assert f"-DLIBRARY_FLAGS=-fprofile-instr-use={copy}" in log
    assert f"-DCMAKE_PROJECT_INCLUDE={checkout / cmake.LIBRARY}" in log
