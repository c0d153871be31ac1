"""Programs of a base system print the same on the library as without it.

The command lines are in programs.toml; base_programs.py runs them.
"""

from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.config import load
from pipeline.inspect import payload
from tests.build import upstream
from tests.build.base_programs import (
    GROUPS,
    Result,
    command_lines,
    differences,
    make_inputs,
    missing,
    run,
    run_all,
)
from tests.build.conftest import ARCH, NEWEST, ROOT, SEED, Package
from tests.tally import untested

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A sample of the releases, or with ``--full`` every one; each group of command lines."""
    versions = load.versions(ROOT) if metafunc.config.getoption("--full") else SAMPLE
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", versions, scope="module")
    if "group" in metafunc.fixturenames:
        metafunc.parametrize("group", list(GROUPS))


def lines_of(group: str) -> list[str]:
    """The command lines of a group; none, with a notice, where the host lacks a program of it."""
    lacking = missing(group)
    if lacking:
        untested(f"{group} on the library", f"this host lacks {', '.join(lacking)}")
    return command_lines(group)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command lines read."""
    return make_inputs(tmp_path_factory.mktemp("inputs"))


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
    known = {line for group in GROUPS for line in command_lines(group)}
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
