"""`compiler`: its command, its flags, its environment; the options and the file for cmake."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from pipeline.build import selection
from pipeline.config import load
from pipeline.model import Compiler, Flags, Plan, Selection
from pipeline.model.errors import ConfigureError, HostError, RecipeError
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler
from tests.unit import release


@pytest.fixture
def native(plan: Plan) -> Iterator[Plan]:
    """The plan with the host's compiler, which is looked up anew."""
    host = Compiler("native", Flags(("-O3",), ("-s",)), {"x86-64": ("-march=x86-64",)})
    compiler._native.cache_clear()
    yield replace(plan, compiler=host)
    compiler._native.cache_clear()


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
    first = compiler.command(other)[:4]

    assert (str(compiler.program("zig")), "cc", "-target", f"{arch}-linux-gnu.{glibc}") == first


def test_an_architecture_of_a_level_is_compiled_for_its_processor(project: Path) -> None:
    """The compiler knows the kind of processor, and the level by its flags."""
    old, new = (selection.plan(project, "2.0.6", "el10", arch) for arch in ("x86_64_v2", "x86_64"))

    assert "x86_64-linux-gnu.2.39" == old.target == new.target
    assert "-mcpu=x86_64_v2" in compiler.flags(old).compile
    assert "-mcpu=x86_64_v3" in compiler.flags(new).compile
    assert "set(CMAKE_SYSTEM_PROCESSOR x86_64)" in compiler.toolchain_file(old)


def test_debug_information_replaces_flags_and_names_no_folder(plan: Plan) -> None:
    """In the place of the flags that keep it out; the build-id is that of the library."""
    own, debug = (
        compiler.flags(plan),
        compiler.debug_flags(plan, {Path("/home/a"): PurePosixPath("/usr/src/a")}, "abc"),
    )
    place = own.compile.index("-g0")

    lines = ("-gline-tables-only", "-gdwarf-aranges")
    expected = (*own.compile[:place], *lines, *own.compile[place + 1 :])
    assert (*expected, "-fdebug-prefix-map=/home/a=/usr/src/a") == debug.compile
    assert "-s" in own.link
    linked = tuple(flag for flag in own.link if flag != "-s")
    assert (*linked, "-Wl,--build-id=0xabc") == debug.link
    options = compiler.options(plan, debug)
    assert options["CMAKE_C_FLAGS"].endswith("-fdebug-prefix-map=/home/a=/usr/src/a")
    assert options["CMAKE_SHARED_LINKER_FLAGS"].endswith("-Wl,--build-id=0xabc")


def test_a_machine_may_be_linked_against_an_older_c_library(project: Path) -> None:
    """The same target and flags, so that two dists can share what is compiled."""
    old, new = (selection.plan(project, "2.0.6", dist, "aarch64") for dist in ("el7", "el8"))

    assert "aarch64-linux-gnu.2.17" == old.target == new.target
    assert compiler.flags(old) == compiler.flags(new)


def test_tools_are_those_of_their_python_packages() -> None:
    """No program of that name on PATH is used."""
    for tool in map(compiler.program, ("zig", "cmake", "ninja")):
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


def _theirs(folder: Path) -> None:
    folder.chmod(0o777)


def _nobodys(folder: Path) -> None:
    os.chown(folder, 65534, 65534)


# Only root may give a folder away, and can write to it then.
@pytest.mark.parametrize("spoil", [_theirs, _nobodys] if os.geteuid() == 0 else [_theirs])
@pytest.mark.parametrize("depth", range(-1, 4))
def test_a_cache_that_somebody_else_can_change_is_not_used(
    plan: Plan, workspace: Workspace, depth: int, spoil: Callable[[Path], None]
) -> None:
    """Nor one in such a folder, or with one in it: the compiler links what it finds there."""
    own = Path(compiler.environment(plan, workspace)["ZIG_LOCAL_CACHE_DIR"])
    assert own.is_relative_to(workspace.cache)
    (own / "o").mkdir(parents=True)
    spoil(own / "o" if depth < 0 else (own, *own.parents)[depth])

    used = Path(compiler.environment(plan, workspace)["ZIG_LOCAL_CACHE_DIR"])

    assert used.is_relative_to(workspace.work)


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
    assert "CMAKE_AR" not in compiler.toolchain_file(native)


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


# --- cmake ---------------------------------------------------------------------------------------


def test_options_put_everything_below_the_prefix(plan: Plan) -> None:
    """The prefix and the lib64 layout are set explicitly."""
    options = compiler.options(plan)

    assert "/usr/local/nginx-dep" == options["CMAKE_INSTALL_PREFIX"]
    assert "lib64" == options["CMAKE_INSTALL_LIBDIR"]


def test_release_overrides_what_all_share(plan: Plan) -> None:
    """A recipe's option comes after the package's of the same name."""
    shared = plan.package.cmake
    assert "OFF" == shared["MI_SECURE"]
    changed = release.recast(plan, cmake={"MI_SECURE": "ON", "MI_NEW": "1"})

    assert {**shared, "MI_SECURE": "ON", "MI_NEW": "1"}.items() <= compiler.options(changed).items()


def test_a_flavors_options_override_the_rest(project: Path) -> None:
    """They are all that distinguishes it from the plain package."""
    plain, secure = selection.plans(
        project, Selection(version="2.0.6", flavor="plain,secure", arch="x86_64")
    )
    changed = set(compiler.options(secure).items()) - set(compiler.options(plain).items())

    assert {("MI_SECURE", "ON")} == changed


def test_flags_are_the_toolchains(plan: Plan) -> None:
    """One string each for compiler and linker; the build type adds no optimisation of its own."""
    options, flags = compiler.options(plan), compiler.flags(plan)

    assert " ".join(flags.compile) == options["CMAKE_C_FLAGS"]
    assert " ".join(flags.link) == options["CMAKE_SHARED_LINKER_FLAGS"]
    assert "-DNDEBUG" == options["CMAKE_C_FLAGS_RELEASE"]


def test_toolchain_file_quotes_its_words(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with blanks, quotes, semicolons and dollars in its name is a folder."""
    zig = Path("/a b;c/$x/${y}/\"q\"/'s'/zig")
    monkeypatch.setattr(compiler, "program", lambda name: zig)
    words = " ".join(f"[==[{word}]==]" for word in compiler.command(plan))
    lines = compiler.toolchain_file(plan).splitlines()

    assert f"set(CMAKE_C_COMPILER {words})" in lines
    assert f"set(CMAKE_CXX_COMPILER {words})" in lines
    assert f"set(CMAKE_AR [==[{zig}]==])" in lines


def test_toolchain_file_uses_no_host_library(plan: Plan) -> None:
    """Libraries and headers are searched in a folder that does not exist."""
    text = compiler.toolchain_file(plan)

    assert 'set(CMAKE_FIND_ROOT_PATH "${CMAKE_CURRENT_LIST_DIR}/no-such-folder")' in text
    assert "set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)" in text
    assert "set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)" in text
    assert "set(CMAKE_SYSTEM_PROCESSOR x86_64)" in text


def test_a_file_of_the_toolchain_is_missing(plan: Plan, tmp_path: Path) -> None:
    """The error has its path."""
    other = replace(plan, compiler=replace(plan.compiler, support=("none.c",)))
    with pytest.raises(RecipeError, match="no such file") as caught:
        compiler.support(other, tmp_path)

    folder = tmp_path / "buildroot" / "toolchains" / plan.compiler.name
    assert folder / "none.c" == caught.value.file


@pytest.mark.parametrize(("dist", "hooked"), [("el7", 1), ("el8", 1), ("el9", 0), ("el10", 0)])
def test_malloc_hooks_are_added_where_the_c_library_has_them(
    project: Path, dist: str, hooked: int
) -> None:
    """After what the toolchain adds; their variables are those of the C library."""
    plan = selection.plan(project, "3.4.3", dist, "aarch64")
    hooks = project / "buildroot" / "malloc_hooks.c"

    assert [hooks][:hooked] == load.hooks(project, plan)
    names = [file.name for file in compiler.support(plan, project)]
    assert ["atexit.c", "atfork.c", "finalize.c", "malloc_hooks.c"][: 3 + hooked] == names
    assert hooked * ("__malloc_hook", "__free_hook", "__realloc_hook", "__memalign_hook") == (
        plan.hooks
    )
    text = hooks.read_text()
    assert all(f"volatile {name})" in text for name in plan.hooks)
