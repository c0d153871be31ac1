"""Programs of a base system print the same on the library as without it.

The command lines are in programs.toml. The loader writes a trace of every process into a file,
which changes no output, and shows which processes are on the library.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.build import selection
from pipeline.config import load
from pipeline.inspect import payload
from pipeline.system import process
from tests.build import upstream
from tests.build.conftest import ARCH, NEWEST, ROOT, SEED, Package, untested

_DATA: dict[str, Any] = tomllib.loads(Path(__file__).with_name("programs.toml").read_text())
INPUTS: str = _DATA.pop("inputs")
PATH = os.defpath

# Seconds after which a command line is ended; each takes one or two at most.
TIMEOUT = 30.0

# The oldest release and the newest of each line; `nox -s programs -- --full` tries all.
SAMPLE = (SEED, "2.4.1", NEWEST)

# What 2.0.6 without our patches refuses: a block of no bytes, and sizes that are no multiple of the
# alignment.
REFUSED = {
    "echo abc | sed s/b/x/": "sed",
    "grep root passwd": "grep",
    "echo hi | cat -v": "cat",
    "printf abcdefghijk | dd bs=3 status=none": "dd",
    "split -n 2 numbers && cat xaa xab | cmp - numbers && wc xaa xab": "split",
}

_LIBRARY = re.compile(r"calling init: (\S*libmimalloc\S*)")
_PROGRAM = re.compile(r"initialize program: (\S+)")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command line ended, and the processes that it has started: with the library or not."""

    code: int
    output: str
    errors: str
    processes: frozenset[tuple[str, bool]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A sample of the releases, or with ``--full`` every one; each group of command lines."""
    versions = load.versions(ROOT) if metafunc.config.getoption("--full") else SAMPLE
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", versions, scope="module")
    if "group" in metafunc.fixturenames:
        metafunc.parametrize("group", list(_DATA))


def run(line: str, folder: Path, inputs: Path, library: Path | None = None) -> Result:
    """Run a command line in a folder of its own, whose path its output does not show."""
    shutil.copytree(inputs, folder / "home", symlinks=True)
    variables = {
        **{"PATH": PATH, "HOME": str(folder / "home"), "LC_ALL": "C", "TZ": "UTC"},
        **{"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(folder / "of")},
        **({"LD_PRELOAD": str(library)} if library else {}),
    }
    command = ["env", "-i", *map("=".join, variables.items()), "sh", "-c", line]
    code, *texts = process.attempt(command, cwd=folder / "home", timeout=TIMEOUT)
    output, errors = (text.replace(str(folder), "FOLDER") for text in texts)
    processes = frozenset(_processes(folder, library))
    shutil.rmtree(folder)
    return Result(code, output, errors, processes)


def _processes(folder: Path, library: Path | None) -> Iterator[tuple[str, bool]]:
    """The programs in the traces, and whether the library was initialized in each."""
    for file in folder.glob("of.*"):
        trace = file.read_text(errors="replace")
        program = _PROGRAM.search(trace)
        if program:
            yield Path(program[1]).name, str(library) in _LIBRARY.findall(trace)


def run_all(lines: list[str], folder: Path, inputs: Path, library: Path | None) -> list[Result]:
    """Run command lines, several at once, in the order of their results."""
    with ThreadPoolExecutor() as pool:
        places = [folder / str(number) for number in range(len(lines))]
        return list(pool.map(lambda line, place: run(line, place, inputs, library), lines, places))


def lines_of(group: str) -> list[str]:
    """The command lines of a group; none, with a notice, where the host lacks a program of it."""
    missing = [name for name in _DATA[group]["programs"] if not shutil.which(name, path=PATH)]
    if missing:
        untested(f"{group} on the library", f"this host lacks {', '.join(missing)}")
    return [line for line in _DATA[group]["lines"].splitlines() if line]


def differences(line: str, expected: Result, got: Result) -> list[str]:
    """What is not as it should be, with the command line that it is about."""
    found = [
        f"{line}\n    {what}: expected {good!r}, got {bad!r}"
        for what, good, bad in (
            ("exit code", expected.code, got.code),
            ("output", expected.output, got.output),
            ("error output", expected.errors, got.errors),
        )
        if good != bad
    ]
    without = sorted({name for name, is_on in got.processes if not is_on})
    if without or not got.processes:
        found.append(f"{line}\n    not on the library: {', '.join(without) or 'no process seen'}")
    return found


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command lines read."""
    folder = tmp_path_factory.mktemp("inputs")
    variables = {"PATH": PATH, "LC_ALL": "C", "TZ": "UTC"}
    subprocess.run(["sh", "-e", "-c", INPUTS], cwd=folder, env=variables, check=True)
    return folder


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, inputs: Path) -> dict[str, list[Result]]:
    """Results without the library, by group; filled by the first test that needs them."""
    return {}


@pytest.fixture(scope="module")
def library(version: str, package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library out of the package, at the path that users preload."""
    built = package(version, "el8")
    files = payload.unpack(built.rpm, tmp_path_factory.mktemp("library"))
    return payload.place(files, built.plan.preload)


def test_programs_print_the_same(
    library: Path, group: str, inputs: Path, expected: dict[str, list[Result]], tmp_path: Path
) -> None:
    """Exit code, output and error output; and every process that was started is on the library."""
    lines = lines_of(group)
    if group not in expected:
        expected[group] = run_all(lines, tmp_path, inputs, None)

    results = run_all(lines, tmp_path, inputs, library)

    assert [] == [line for line, good in zip(lines, expected[group], strict=True) if good.code]
    pairs = zip(lines, expected[group], results, strict=True)
    found = [text for line, good, bad in pairs for text in differences(line, good, bad)]
    assert [] == found, "\n".join(found)


def test_a_release_that_refuses_blocks_is_found(
    package: Package, inputs: Path, tmp_path: Path
) -> None:
    """2.0.6 as upstream tagged it: these command lines fail, by the words of their programs."""
    package(SEED, "el8")
    broken = upstream.compiled(selection.plan(ROOT, SEED, "el8", ARCH), tmp_path)
    known = {line for group in _DATA.values() for line in group["lines"].splitlines()}
    assert set(REFUSED) <= known

    good = run_all(list(REFUSED), tmp_path / "good", inputs, None)
    bad = run_all(list(REFUSED), tmp_path / "bad", inputs, broken)

    for (line, program), before, after in zip(REFUSED.items(), good, bad, strict=True):
        assert 0 == before.code
        assert f"{program}: memory exhausted" in after.errors
        assert [] != differences(line, before, after)


def test_a_library_that_is_not_in_use_is_found(inputs: Path, tmp_path: Path) -> None:
    """The loader ignores a path that leads nowhere; the program prints what it should."""
    line = "echo hi | cat -v"

    before = run(line, tmp_path / "before", inputs)
    after = run(line, tmp_path / "after", inputs, tmp_path / "libmimalloc.so.9")

    assert "hi\n" == after.output
    assert f"{line}\n    not on the library: cat, sh" in differences(line, before, after)
