"""Hostile or odd environments: the same bytes, or an error; never a traceback."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.build.conftest import ROOT, Package

BUILD = ("build", "--version", "2.0.9", "--dist", "el7", "--offline")

# What the user's rpm macros may set: where to work, what to run, how to pack.
MACROS = """
%_topdir /nowhere
%_tmppath /nowhere
%buildroot /nowhere
%_builddir /nowhere
%_rpmdir /nowhere
%_binary_payload w1.gzdio
%_binary_filedigest_algorithm 1
%__os_install_post exit 9
%__spec_install_pre exit 9
%_build_name_fmt evil.rpm
%dist .evil
%packager Somebody Else
%_use_internal_dependency_generator 0
%__find_provides /nowhere
%source_date_epoch_from_changelog 1
"""

# Variables that programs read: compilers, linkers, cmake, ninja, zig, tar, gzip, shells, Python.
SETTINGS = {
    **dict.fromkeys(("CC", "CXX", "LD", "AR", "STRIP", "CPP", "SHELL"), "/nowhere/fake"),
    **dict.fromkeys(("CFLAGS", "CXXFLAGS", "CPPFLAGS"), "-O0 -g -DMI_DEBUG=3 -march=native"),
    "LDFLAGS": "-Wl,-rpath,/nowhere",
    "CPATH": "/nowhere",
    "LIBRARY_PATH": "/nowhere",
    "DESTDIR": "/nowhere",
    "LD_PRELOAD": "/nowhere/libevil.so libjemalloc.so.2",
    "LD_LIBRARY_PATH": "/nowhere",
    "CMAKE_GENERATOR": "Unix Makefiles",
    "CMAKE_TOOLCHAIN_FILE": "/nowhere/toolchain.cmake",
    "CMAKE_BUILD_TYPE": "Debug",
    "CMAKE_INSTALL_PREFIX": "/nowhere",
    "NINJA_STATUS": "%f",
    "ZIG_GLOBAL_CACHE_DIR": "/nowhere",
    "ZIG_LIB_DIR": "/nowhere",
    "RPM_CONFIGDIR": "/nowhere",
    "RPM_BUILD_ROOT": "/nowhere",
    "XDG_CONFIG_HOME": "/nowhere",
    "TAR_OPTIONS": "--absolute-names",
    "GZIP": "-1",
    "POSIXLY_CORRECT": "1",
    "PATCH_GET": "1",
    "SOURCE_DATE_EPOCH": "1",
    "TZ": "Pacific/Chatham",
    "MIMALLOC_VERBOSE": "1",
    **dict.fromkeys(("BASH_ENV", "ENV"), "/nowhere/profile"),
    "CDPATH": "/",
    "IFS": "/",
    "LC_ALL": "en_US.ISO-8859-1",
    "COLUMNS": "1",
}

# Nothing but PATH, and a locale without UTF-8.
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

# None of these is started by its bare name.
PINNED = ("cmake", "ninja", "zig", "cc", "gcc", "clang", "ar", "strip", "make", "git")


@pytest.fixture
def expected(package: Package) -> str:
    """The checksum of the package in a plain environment."""
    return package("2.0.9", "el7").sha256


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with the user's sources."""
    folder = tmp_path / "cache"
    shutil.copytree(workspace.locate(ROOT).cache / "sha256", folder / workspace.FORMAT / "sha256")
    return folder


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """A folder for PATH, with programs that write their name to a file and fail."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    for name in PINNED:
        _fake(folder / name, f"echo {name} >>{tmp_path}/called; exit 9")
    # cmake runs it for its version, and does not use the answer.
    _fake(folder / "ld", "exit 9")
    return folder


def _fake(file: Path, body: str) -> None:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def _run(
    folder: Path, *arguments: str, env: Mapping[str, str], umask: int = 0o022
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [shutil.which("invoke") or "invoke", *arguments],
        cwd=folder,
        env=dict(env),
        umask=umask,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


def _add_odd_files(checkout: Path) -> None:
    """Add files whose names are no text, where the project lists folders."""
    for folder in (checkout, checkout.parent, checkout / "dist", checkout / "recipes"):
        folder.mkdir(exist_ok=True)
        for name in (b"\xff\xfe.txt", b"new\nline", b"\x1b[2J"):
            Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("x")


@pytest.mark.parametrize("kind", ["settings", pytest.param("bare", marks=pytest.mark.full)])
def test_the_environment_does_not_change_the_package(
    expected: str, checkout: Path, cache: Path, fakes: Path, tmp_path: Path, kind: str
) -> None:
    """With everything set that programs read, or with nothing set: the same package."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text(MACROS)
    (home / ".rpmrc").write_text("optflags: x86_64 -O0\nbuildarchtranslate: x86_64: i386\n")
    _add_odd_files(checkout)
    env = {"MIMALLOC_CACHE": str(cache), "PATH": f"{fakes}:{os.environ['PATH']}"}
    env |= {**SETTINGS, "HOME": str(home)} if kind == "settings" else BARE

    done = _run(checkout, *BUILD, env=env, umask=0o077)

    assert 0 == done.returncode, done.stderr
    (rpm,) = (checkout / "dist" / "el7").glob("*/mimalloc-custom-2.0.9*.rpm")
    assert expected == sha256_of(rpm)
    assert not (tmp_path / "called").exists()
    assert not Path("/nowhere").exists()


# A script in the place of rpmbuild, and the exit code of the build.
RPMBUILDS = {
    "prints nothing": ("exit 0", 11),
    "fails at once": ("exit 1", 11),
    "is no program": ("", 0),  # the system uses the next folder of PATH
    "writes nothing": ('[ "$1" != --version ] || echo RPM version 4.18.0', 27),
    "packs differently": ('exec {real} "$@" --define "_binary_payload w1.gzdio"', 28),
    "prints another version": ('[ "$1" != --version ] || exec echo 9; exec {real} "$@"', 0),
}


@pytest.fixture(scope="module")
def compiled(package: Package, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the project in which all steps before package are done, and a folder for PATH."""
    package("2.0.9", "el7")
    root, fakes = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("fakes")
    for name in ("recipes", "patches", "buildroot", "cli", "pipeline"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "tasks.py", root)
    done = _run(root, "stage", *BUILD[1:], env=os.environ)
    assert 0 == done.returncode, done.stderr
    return root, fakes


@pytest.mark.parametrize("kind", RPMBUILDS)
def test_another_rpmbuild(expected: str, compiled: tuple[Path, Path], kind: str) -> None:
    """A wrapper on PATH is an error if its package is not right, and nothing gets a final name."""
    root, fakes = compiled
    for folder in ("dist", *(f"work/{workspace.FORMAT}/{step}" for step in ("package", "check"))):
        shutil.rmtree(root / folder, ignore_errors=True)
    body, code = RPMBUILDS[kind]
    if kind == "is no program":
        (fakes / "rpmbuild").write_bytes(b"\x7fELF" + bytes(60))
        (fakes / "rpmbuild").chmod(0o755)
    else:
        _fake(fakes / "rpmbuild", body.format(real=shutil.which("rpmbuild")))

    done = _run(root, *BUILD, env={**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}"})

    assert code == done.returncode, done.stderr
    rpms = (root / "dist").rglob("mimalloc-custom-2*.rpm")
    assert [expected] * (code == 0) == [sha256_of(rpm) for rpm in rpms]


@pytest.mark.parametrize(
    "name",
    [
        b"with space",
        b"quo'te",
        b'quo"te',
        b"per%cent",
        b"col:on",
        b"dol$lar",
        b"new\nline",
        b"back\\slash",
        b"semi;colon",
        b"\xff\xfe",
        "ü".encode(),
    ],
)
@pytest.mark.parametrize("command", [BUILD, ("list",), ("clean",)], ids=["build", "list", "clean"])
def test_a_path_that_the_tools_cannot_use(
    checkout: Path, command: tuple[str, ...], name: bytes
) -> None:
    """Exit code 12, and the characters are named; or they can use it."""
    moved = checkout.rename(checkout.parent / os.fsdecode(name))

    done = _run(moved, *command, env=os.environ)

    assert 12 == done.returncode or name == "ü".encode(), done.stderr
    if done.returncode == 12:
        assert "the checkout's path has characters" in done.stderr
        assert "clone it into another folder" in done.stderr
    assert not (moved / "work").exists() or name == "ü".encode()
