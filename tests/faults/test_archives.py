"""Hostile archives: refused with an error of ours, in little memory and time, nothing astray."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from pipeline.build import selection
from pipeline.model import Plan
from pipeline.steps import unpack
from pipeline.system.checksum import identity_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, Workspace, remove
from tests.build.conftest import ROOT
from tests.faults.archives import Bad, corpus
from tests.faults.counter import count
from tests.faults.sandbox import sandboxed
from tests.unit import release

# How many there are at least; a corpus that lost some would not be noticed otherwise.
AT_LEAST = 200


@pytest.fixture(scope="session")
def plan() -> Plan:
    """A plan whose recipe is pinned to the tiny release."""
    real = selection.plan(ROOT, "2.0.6", "el7", "x86_64")
    upstream = release.source(release.tarball(), "https://upstream.invalid/v2.0.6.tar.gz")
    return release.recast(real, tree=release.identity(), source=(upstream,), patch=())


def _state(folder: Path) -> list[tuple[str, os.stat_result, bytes]]:
    files = (file for file in sorted(folder.rglob("*")))
    return [
        (str(file), os.lstat(file), file.read_bytes() if file.is_file() else b"") for file in files
    ]


def _attempt(bad: Bad, plan: Plan, folder: Path, outside: Path) -> str:
    """What is wrong with how an archive was dealt with; nothing where it was dealt with well."""
    count("bad archives")
    remove(folder)
    dirs = StepDirs(
        Workspace(folder, folder / "cache"), dict.fromkeys(("fetch", "unpack"), "0" * 64)
    )
    for step in ("fetch", "unpack"):
        dirs.folder(step).mkdir(parents=True)
    dirs.archive.write_bytes(bad.content)
    before = _state(outside)
    found = sandboxed(partial(unpack.run, plan, dirs, Report()), dirs.folder("unpack"))
    if found.fault or found.outside:
        return "\n".join([found.fault, *found.outside])
    if _state(outside) != before:
        return "something outside was touched"
    odd = [file for file in dirs.folder("unpack").rglob("*") if file.is_symlink()]
    if odd or any(not (file.is_file() or file.is_dir()) for file in dirs.tree.rglob("*")):
        return f"something odd was made: {odd}"
    if found.error is None:
        whole = identity_of(dirs.tree) == release.identity()
        return "" if whole and bad.harmless else "it was taken for a release"
    told = str(found.error)
    if not told.isprintable() and not told.replace("\n", "").isprintable():
        return f"the message cannot be shown: {told!r}"
    return "" if found.error.exit_code in (21, 22) else f"exit code {found.error.exit_code}"


def test_no_archive_gets_out_of_hand(plan: Plan, tmp_path: Path) -> None:
    """Each is refused, or its release is whole; all that go wrong are told at once."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("untouched")
    number, wrong = 0, []
    for bad in corpus(str(outside)):
        number += 1
        if told := _attempt(bad, plan, tmp_path / "checkout", outside):
            wrong.append(f"{bad.name}: {told}")

    assert [] == wrong
    assert number >= AT_LEAST
