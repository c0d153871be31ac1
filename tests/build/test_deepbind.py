"""An object that is opened with RTLD_DEEPBIND, as PHP opens its extensions, on the real library."""

import platform
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from packaging.version import Version

from pipeline.build import make
from pipeline.inspect import payload
from pipeline.model import Plan
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import compiler, emulator
from tests.build import debian
from tests.build.conftest import ARCH, NEWEST, OLD, ROOT, SEED, VERSIONS, Package, Which, of_each

SOURCE = Path(__file__).with_name("deepbind.c")
DONE = "crossed 32000 of 32000, odd arguments 6 of 6\n"
HAS_HOOKS = Version(platform.libc_ver()[1]) < Version("2.34")
ABORTED = re.compile(r"(munmap_chunk|free|realloc)\(\): invalid (pointer|size)")

Run = Callable[..., tuple[int, str]]
Loader = Callable[[str], list[str | Path]]

HOOKED = [Which(version, dist) for version in VERSIONS for dist in OLD]
HOOKED += [Which(NEWEST, "el7", "aarch64"), Which(NEWEST, "el8", flavor="secure")]


@pytest.fixture(scope="session")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Loader:
    """The command that starts a program on a C library with malloc hooks, on an architecture."""

    @cache
    def command(arch: str) -> list[str | Path]:
        if HAS_HOOKS and arch == platform.machine():
            return []
        root = debian.unpacked(tmp_path_factory.mktemp(arch), arch, "libc6")
        folder = root / "lib" / f"{arch}-linux-gnu"
        return [*folder.glob("ld-2.*.so"), "--library-path", folder]

    return command


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Compiles program and object for a plan, and runs them on a library; exit code and output."""

    def start(
        plan: Plan, library: Path, before: list[str | Path], **variables: str
    ) -> tuple[int, str]:
        # For el7, whose programs run on every C library.
        oldest = replace(plan, root=replace(plan.root, glibc="2.17"))
        command = [*compiler.command(oldest), "-std=gnu11", "-O1", "-g0", "-fPIC", str(SOURCE)]
        env = {"PATH": "/usr/bin:/bin", **compiler.environment(plan, workspace.locate(ROOT))}
        for more in ("-o program -lpthread -ldl", "-DPLUGIN -shared -o plugin.so"):
            subprocess.run([*command, *more.split()], check=True, cwd=tmp_path, env=env)
        argv = [*before, tmp_path / "program", tmp_path / "plugin.so"]
        preload = {"LD_PRELOAD": str(library), **variables}
        started = emulator.start(argv, preload, emulator.runner(plan))
        done = subprocess.run(started, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    return start


@of_each(HOOKED)
def test_blocks_cross_by_the_malloc_hooks(
    package: Package, loader: Loader, run: Run, tmp_path: Path, which: Which
) -> None:
    """Both ways, of every function that allocates, in threads; refusals as the C library's."""
    built = package(*which)
    library = payload.place(payload.unpack(built.rpm, tmp_path), built.plan.preload)

    assert (0, DONE) == run(built.plan, library, loader(which.arch))


def test_no_thread_initialises_the_c_librarys_allocator(
    package: Package, loader: Loader, run: Run, tmp_path: Path
) -> None:
    """It is initialised before, and no valloc sets the hooks that the variable asks for."""
    built = package("2.0.9", "el8")
    library = payload.place(payload.unpack(built.rpm, tmp_path), built.plan.preload)

    assert (0, DONE) == run(built.plan, library, loader(ARCH), MALLOC_CHECK_="3")


def test_without_the_hooks_it_aborts(package: Package, loader: Loader, run: Run) -> None:
    """The same release and dist, linked without them: the C library frees what is not its own."""
    plan = package("2.0.9", "el8").plan
    hooks = replace(plan.package.hooks, until="2.17")
    other = replace(plan, package=replace(plan.package, hooks=hooks))
    staged = make.step(other, workspace.locate(ROOT), Report(), "stage") / "root"

    code, output = run(plan, payload.place(staged, plan.preload), loader("x86_64"))

    assert -signal.SIGABRT == code
    assert ABORTED.search(output)


@pytest.mark.parametrize("version", [SEED, NEWEST])
def test_a_newer_c_library_has_none(
    package: Package, run: Run, tmp_path: Path, version: str
) -> None:
    """What docs/administrator.md says of EL9 and later, seen on the C library of this host."""
    if HAS_HOOKS:
        pytest.skip("the C library of this host has malloc hooks")
    built = package(version, "el8")
    library = payload.place(payload.unpack(built.rpm, tmp_path), built.plan.preload)

    code, output = run(built.plan, library, [])

    assert -signal.SIGABRT == code
    assert ABORTED.search(output)
