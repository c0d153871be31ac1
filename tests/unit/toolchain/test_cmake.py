"""`cmake`: the options of a plan, and the toolchain file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.model import Plan
from pipeline.toolchain import cmake, compiler
from tests.unit import release


def test_options_put_everything_below_the_prefix(plan: Plan) -> None:
    """The prefix and the lib64 layout are set explicitly."""
    options = cmake.options(plan)

    assert "/usr/local/nginx-dep" == options["CMAKE_INSTALL_PREFIX"]
    assert "lib64" == options["CMAKE_INSTALL_LIBDIR"]


def test_release_overrides_what_all_share(plan: Plan) -> None:
    """A recipe's option comes after the package's of the same name."""
    shared = plan.package.cmake
    assert "OFF" == shared["MI_SECURE"]
    changed = release.recast(plan, cmake={"MI_SECURE": "ON", "MI_NEW": "1"})

    assert {**shared, "MI_SECURE": "ON", "MI_NEW": "1"}.items() <= cmake.options(changed).items()


def test_a_flavors_options_override_the_rest(project: Path) -> None:
    """They are all that distinguishes it from the plain package."""
    plain, secure = selection.plans(
        project, Selection(version="2.0.6", flavor="plain,secure", arch="x86_64")
    )
    changed = set(cmake.options(secure).items()) - set(cmake.options(plain).items())

    assert {("MI_SECURE", "ON")} == changed


def test_flags_are_the_toolchains(plan: Plan) -> None:
    """One string each for compiler and linker; the build type adds no optimisation of its own."""
    options, flags = cmake.options(plan), compiler.flags(plan)

    assert " ".join(flags.compile) == options["CMAKE_C_FLAGS"]
    assert " ".join(flags.link) == options["CMAKE_SHARED_LINKER_FLAGS"]
    assert "-DNDEBUG" == options["CMAKE_C_FLAGS_RELEASE"]


def test_toolchain_file_quotes_its_words(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with blanks, quotes, semicolons and dollars in its name is a folder."""
    zig = Path("/a b;c/$x/${y}/\"q\"/'s'/zig")
    monkeypatch.setattr(compiler, "zig", lambda: zig)
    words = " ".join(f"[==[{word}]==]" for word in compiler.command(plan))
    lines = cmake.toolchain_file(plan).splitlines()

    assert f"set(CMAKE_C_COMPILER {words})" in lines
    assert f"set(CMAKE_CXX_COMPILER {words})" in lines
    assert f"set(CMAKE_AR [==[{zig}]==])" in lines


def test_toolchain_file_uses_no_host_library(plan: Plan) -> None:
    """Libraries and headers are searched in a folder that does not exist."""
    text = cmake.toolchain_file(plan)

    assert 'set(CMAKE_FIND_ROOT_PATH "${CMAKE_CURRENT_LIST_DIR}/no-such-folder")' in text
    assert "set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)" in text
    assert "set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)" in text
    assert "set(CMAKE_SYSTEM_PROCESSOR x86_64)" in text
