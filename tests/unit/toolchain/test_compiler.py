"""`compiler`: its command, its flags, its environment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.model import Compiler, Flags, Plan
from pipeline.model.errors import ConfigureError, HostError
from pipeline.system.workspace import Workspace
from pipeline.toolchain import cmake, compiler


@pytest.fixture
def native(plan: Plan) -> Iterator[Plan]:
    """The plan with the host's compiler, which is looked up anew."""
    host = Compiler("native", Flags(("-O3",), ("-s",)), {"x86-64": ("-march=x86-64",)})
    compiler._native.cache_clear()
    compiler._native_version.cache_clear()
    yield replace(plan, compiler=host)
    compiler._native.cache_clear()
    compiler._native_version.cache_clear()


def _host_with(monkeypatch: pytest.MonkeyPatch, folder: Path, **programs: str) -> None:
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize("glibc", ["2.17", "2.28"])
def test_c_library_floor_is_in_the_target(plan: Plan, arch: str, glibc: str) -> None:
    """The linker knows no symbol that is newer than the build root's C library."""
    machine = {arch: plan.machine}
    kind = replace(plan.processor, name=arch)
    root = replace(plan.root, glibc=glibc, machine=machine)
    other = replace(plan, arch=arch, processor=kind, root=root)
    command = compiler.command(other)

    assert (str(compiler.zig()), "cc", "-target", f"{arch}-linux-gnu.{glibc}") == command


def test_an_architecture_of_a_level_is_compiled_for_its_processor(project: Path) -> None:
    """The compiler knows the kind of processor, and the level by its flags."""
    old, new = (selection.plan(project, "2.0.6", "el10", arch) for arch in ("x86_64_v2", "x86_64"))

    assert "x86_64-linux-gnu.2.39" == old.target == new.target
    assert "-mcpu=x86_64_v2" in compiler.flags(old).compile
    assert "-mcpu=x86_64_v3" in compiler.flags(new).compile
    assert "set(CMAKE_SYSTEM_PROCESSOR x86_64)" in cmake.toolchain_file(old)


def test_a_machine_may_be_linked_against_an_older_c_library(project: Path) -> None:
    """The same target and flags, so that two dists can share what is compiled."""
    old, new = (selection.plan(project, "2.0.6", dist, "aarch64") for dist in ("el7", "el8"))

    assert "aarch64-linux-gnu.2.17" == old.target == new.target
    assert compiler.flags(old) == compiler.flags(new)


def test_tools_are_those_of_their_python_packages() -> None:
    """No program of that name on PATH is used."""
    for tool in (compiler.zig(), cmake.program(), cmake.ninja()):
        assert tool.is_absolute()
        assert tool.is_file()


def test_flags_go_from_the_compiler_to_the_machine(plan: Plan) -> None:
    """Later flags override earlier ones: compiler, instruction set, build root, machine."""
    machine = replace(plan.machine, flags=Flags(("-machine",), ("-Wl,machine",)))
    changed = replace(
        plan,
        compiler=replace(
            plan.compiler, flags=Flags(("-compiler",), ("-Wl,compiler",)), isa={"x86-64": ("-isa",)}
        ),
        root=replace(
            plan.root, flags=Flags(("-root",), ("-Wl,root",)), machine={"x86_64": machine}
        ),
    )

    assert Flags(
        ("-compiler", "-isa", "-root", "-machine"), ("-Wl,compiler", "-Wl,root", "-Wl,machine")
    ) == compiler.flags(changed)


def test_environment_fixes_the_date(plan: Plan, workspace: Workspace) -> None:
    """The only time is that of the tagged commit, and zig's cache is in ours."""
    environment = compiler.environment(plan, workspace)

    assert str(int(plan.recipe.released.timestamp())) == environment["SOURCE_DATE_EPOCH"]
    for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
        assert Path(environment[name]).is_relative_to(workspace.cache)


def test_versions_are_those_of_what_compiles(plan: Plan) -> None:
    """What decides the bytes is in the key of the step."""
    assert {"zig", "cmake", "ninja"} == set(compiler.versions(plan))


def test_native_compiler_is_the_preferred_one(
    native: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """gcc before clang; its version is the first line that it prints; it brings its own ar."""
    _host_with(monkeypatch, tmp_path, clang="echo clang 1", gcc="echo gcc 99; echo more")

    assert (str(tmp_path / "gcc"),) == compiler.command(native)
    assert "gcc 99" == compiler.versions(native)["gcc"]
    assert "CMAKE_AR" not in cmake.toolchain_file(native)


def test_host_without_a_compiler(
    native: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The names that were searched for are in the message."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError) as caught:
        compiler.command(native)

    assert "gcc or clang or cc" == caught.value.expected
    assert shutil.which("gcc") is None


def test_compiler_that_does_not_run(
    native: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broken compiler is an error before anything is compiled."""
    _host_with(monkeypatch, tmp_path, gcc="echo cannot load >&2; exit 127")
    with pytest.raises(ConfigureError, match="does not print its version") as caught:
        compiler.versions(native)

    assert ("gcc exited with 127", "cannot load") == (caught.value.got, caught.value.detail)


def test_every_machine_has_flags(project: Path) -> None:
    """The default compiler has flags for the instruction set of every build root."""
    plans = selection.plans(project, Selection(dist="all", arch="all", flavor="all"))

    assert [] == [plan.label for plan in plans if not plan.compiler.isa[plan.machine.isa]]
