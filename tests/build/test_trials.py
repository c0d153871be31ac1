"""The trials of every package find what is wrong with the files that others link with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import build, toolchain, workspace
from pipeline.model import Plan, Trial
from pipeline.smoke import trials
from tests.build.conftest import ROOT, Package

Try = Callable[[Callable[[Path], None]], dict[str, Trial]]


@pytest.fixture
def attempt(package: Package, checkout: Path) -> Try:
    """Spoils a good package's static library or object file, and tries it."""
    plan = package("2.0.9", "el7").plan
    good = build.prepare(plan, workspace.locate(ROOT)).unpacked

    def spoilt(spoil: Callable[[Path], None]) -> dict[str, Trial]:
        site = build.prepare(plan, workspace.locate(checkout))
        shutil.copytree(good, site.unpacked, symlinks=True)
        spoil(site.unpacked / plan.package.libraries.relative_to("/") / "mimalloc-2.0")
        return {trial.name: trial for trial in trials.run(plan, site)}

    return spoilt


def test_good_files_pass(attempt: Try) -> None:
    """As they were packaged, all trials are passed."""
    found = attempt(lambda folder: None)

    assert set(trials.NAMES) == set(found)
    assert [] == [trial for trial in found.values() if not trial.passed]


def test_an_archive_with_nothing_in_it_does_not_link(attempt: Try) -> None:
    """What is missing is named, and the other trials are not kept from their verdict."""

    def spoil(folder: Path) -> None:
        (folder / "libmimalloc.a").write_bytes(b"!<arch>\n")

    found = attempt(spoil)

    assert not found["archive"].passed
    assert "mi_version" in found["archive"].output
    assert (True, True) == (found["aligned"].passed, found["object"].passed)


def test_an_object_without_malloc_is_found(attempt: Try, plan: Plan) -> None:
    """It links, since the C library has a malloc; but the blocks are not mimalloc's."""
    source = "#include <stdbool.h>\nbool mi_is_in_heap_region(const void *p) { return false; }\n"

    def spoil(folder: Path) -> None:
        (folder / "own.c").write_text(source + "int mi_version(void) { return 209; }\n")
        command = [*toolchain.command(plan), "-c", "own.c", "-o", "mimalloc.o"]
        subprocess.run(command, check=True, cwd=folder)

    found = attempt(spoil)

    assert not found["object"].passed
    assert "blocks of another allocator" in found["object"].output
    assert (True, True) == (found["aligned"].passed, found["archive"].passed)
