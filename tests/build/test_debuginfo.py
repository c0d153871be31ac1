"""Debug information: real debuggers find it by build-id, and none about another library is made."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.build import make, selection
from pipeline.inspect import debuginfo as images
from pipeline.inspect import header, payload
from pipeline.model import Plan
from pipeline.model.errors import CheckError
from pipeline.steps import debuginfo as step
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import NEWEST, ROOT, SEED, Package, Which
from tests.tally import untested

# A function of every release that is in no table of dynamic symbols, and the file that has it.
FUNCTION, SOURCE = "_mi_malloc_generic", "src/page.c"
DEFAULT = Which(NEWEST, "el8")
RELEASES = [DEFAULT, Which(SEED, "el7"), Which(SEED, "el10", "aarch64")]


class Installed(NamedTuple):
    """A package and its debug information, unpacked below one root."""

    plan: Plan
    rpm: Path
    root: Path

    @property
    def library(self) -> Path:
        """The file of the library."""
        return payload.place(self.root, self.plan.library)

    @property
    def folder(self) -> Path:
        """What debuggers take for ``/usr/lib/debug``."""
        return payload.place(self.root, self.plan.debuginfo.folder).parent

    @property
    def file(self) -> Path:
        """The file of debug information."""
        build_id = images.read(self.library).build_id
        return payload.place(self.root, self.plan.debuginfo.file(build_id))


Install = Callable[[Which], Installed]


def program(name: str) -> str:
    """A program of the host; skips, with a notice, without it."""
    path = shutil.which(name)
    if path is None:
        untested(f"debug information with {name}", f"no {name}; see buildroot/host-programs.txt")
    return path


def output(*command: object) -> str:
    """The standard output of a program that succeeds."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def install(package: Package, tmp_path: Path) -> Install:
    """Builds a package and its debug information, and unpacks both."""

    def unpack(which: Which) -> Installed:
        built, place = package(*which), workspace.locate(ROOT)
        rpm = make.step(built.plan, place, Report(), "debuginfo")
        root = payload.unpack(built.rpm, tmp_path / "package")
        shutil.copytree(payload.unpack(rpm, tmp_path / "debug"), root, dirs_exist_ok=True)
        return Installed(built.plan, rpm, root)

    return unpack


def core(gdb: list[str], installed: Installed, folder: Path) -> Path:
    """The core of a program that has called FUNCTION: of an nginx, or else of an interpreter."""
    settings = folder / "nginx.conf"
    settings.write_text("daemon off; pid pid; error_log stderr; events {}")
    nginx, file = shutil.which("nginx"), folder / "core"
    command = [nginx, "-t", "-p", folder, "-c", settings] if nginx else [program("python3"), "-V"]
    preload = payload.place(installed.root, installed.plan.preload)
    actions = [
        *("set breakpoint pending on", "set startup-with-shell off"),
        *(f"set environment LD_PRELOAD {preload}", f"break {FUNCTION}"),
        *("run", f"generate-core-file {file}"),
    ]
    text = output(*gdb, *(f"-ex={action}" for action in actions), "--args", *command)
    assert file.is_file(), text
    return file


def test_gdb_names_functions_and_lines_in_a_core(install: Install, tmp_path: Path) -> None:
    """With the debug information where it looks, and without it neither; it shows the source."""
    installed, path = install(DEFAULT), program("gdb")
    found, none = (
        [path, "-nx", "-batch", "-ex=set debuginfod enabled off", "-ex", f"{setting} {folder}"]
        for setting, folder in (
            ("set debug-file-directory", installed.folder),
            ("set debug-file-directory", tmp_path / "none"),
        )
    )
    file = core(found, installed, tmp_path)
    moved = f"-ex=set substitute-path /usr/src {installed.root}/usr/src"
    show = [moved, "-ex", f"core-file {file}", "-ex=bt"]
    program_file = shutil.which("nginx") or program("python3")

    named = output(*found, *show, "-ex=list", program_file)
    unnamed = output(*none, *show, program_file)

    source = re.escape(f"{installed.plan.debuginfo.sources}/{SOURCE}")
    assert re.search(rf"^#\d+ .*\b{FUNCTION} \(\) at {source}:\d+$", named, re.MULTILINE), named
    # The innermost may be inlined there; it is the one that is listed.
    innermost = re.search(r"^#0 .* at (\S+):(\d+)$", named, re.MULTILINE)
    assert innermost, named
    lines = payload.place(installed.root, innermost[1]).read_text().splitlines()
    assert f"{innermost[2]}\t{lines[int(innermost[2]) - 1]}" in named.splitlines()
    assert re.search(r"^#0 .* \?\? \(\) from .*libmimalloc\.so$", unnamed, re.MULTILINE), unnamed


@pytest.mark.parametrize("which", RELEASES, ids="-".join)
def test_addresses_have_functions_and_lines(install: Install, tmp_path: Path, which: Which) -> None:
    """Found by build-id, on any machine; the line is in a source that is in the package."""
    path, installed = program("eu-addr2line"), install(which)
    symbols = output(program("eu-readelf"), "--symbols", installed.file)
    (address,) = re.findall(rf" ([0-9a-f]{{16}}) .* {FUNCTION}$", symbols, re.MULTILINE)
    options = ["--functions", f"--executable={installed.library}", f"0x{address}"]

    named, unnamed = (
        output(path, f"--debuginfo-path={folder}", *options).splitlines()
        for folder in (installed.folder, tmp_path / "none")
    )

    sources = installed.plan.debuginfo.sources
    place = re.fullmatch(rf"{re.escape(str(sources))}/{SOURCE}:(\d+)(:\d+)?", named[1])
    assert place, named
    lines = payload.place(installed.root, sources / SOURCE).read_text().splitlines()
    assert FUNCTION == named[0]
    assert FUNCTION in "".join(lines[int(place[1]) - 3 : int(place[1])])
    assert "??:0" == unnamed[1]


def test_the_package_requires_nothing_and_is_found_again(install: Install, tmp_path: Path) -> None:
    """It has a folder of its own, no soname, and `invoke verify` makes it again."""
    installed = install(DEFAULT)
    head = header.read(installed.rpm, home=tmp_path)

    assert ROOT / "dist" / "el8" / "x86_64-debug" == installed.rpm.parent
    assert all(name.startswith("rpmlib(") for name in head.requires)
    assert not any("libmimalloc" in name for name in head.provides)
    nevra = ("mimalloc-custom-debuginfo", NEWEST, installed.plan.release, "x86_64")
    assert installed.plan == selection.by_nevra(ROOT, *nevra)


def test_package_and_spec_are_clean(install: Install, rpmlint: str) -> None:
    """For rpmlint, in strict mode."""
    installed = install(DEFAULT)
    folder = make.step_dirs(installed.plan, workspace.locate(ROOT)).folder("debuginfo")
    files = [installed.rpm, *(folder / "package").glob("*.spec")]

    listing = output(rpmlint, "--strict", "-c", ROOT / "tests" / "rpmlint.toml", *files)

    assert "1 packages and 1 specfiles checked; 0 errors, 0 warnings" in listing, listing


def test_debug_information_of_another_library_is_refused(package: Package) -> None:
    """A flag that moves code, as a compiler may do by itself: the check names what is elsewhere."""
    plan, place = package(*DEFAULT).plan, workspace.locate(ROOT)
    flags = {**plan.compiler.debug, "-fomit-frame-pointer": ("-fno-omit-frame-pointer",)}
    other = replace(plan, compiler=replace(plan.compiler, debug=flags))
    dirs = make.step_dirs(plan, place)
    dirs = replace(dirs, keys={**dirs.keys, "debuginfo": "other-library"})
    workspace.remove(dirs.folder("debuginfo"))
    dirs.folder("debuginfo").mkdir(parents=True)

    with pytest.raises(CheckError, match="does not pass the checks") as caught:
        step.run(other, dirs, Report())

    workspace.remove(dirs.folder("debuginfo"))
    assert re.search(r"^image: \.text of libmimalloc\.so\.3\.4: expected \d+ bytes at 0x",
                     caught.value.detail, re.MULTILINE)  # fmt: skip
    assert not re.search(r"^image: \.note\.gnu\.build-id", caught.value.detail, re.MULTILINE)
