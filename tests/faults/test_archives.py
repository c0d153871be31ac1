"""Hostile archives: refused with an error, in little memory and time, and nothing left outside."""

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
from tests.faults.archives import HostileArchive, corpus
from tests.faults.sandbox import sandboxed
from tests.tally import count
from tests.unit import release

# The least number of archives, so that a loss of some is noticed.
AT_LEAST = 200


@pytest.fixture(scope="session")
def plan() -> Plan:
    """A plan whose recipe is pinned to the tiny release."""
    real = selection.plan(ROOT, "2.0.6", "el7", "x86_64")
    upstream = release.source(release.tarball(), "https://upstream.invalid/v2.0.6.tar.gz")
    return release.recast(real, tree=release.identity(), source=(upstream,), patch=())


def _state(folder: Path) -> list[tuple[str, os.stat_result, bytes]]:
    return [
        (str(file), os.lstat(file), file.read_bytes() if file.is_file() else b"")
        for file in sorted(folder.rglob("*"))
    ]


def _attempt(archive: HostileArchive, plan: Plan, folder: Path, outside: Path) -> str:
    """What is wrong with the outcome of an archive; empty if nothing is."""
    count("bad archives")
    remove(folder)
    dirs = StepDirs(
        Workspace(folder, folder / "cache"), dict.fromkeys(("fetch", "unpack"), "0" * 64)
    )
    for step in ("fetch", "unpack"):
        dirs.folder(step).mkdir(parents=True)
    dirs.archive.write_bytes(archive.content)
    before = _state(outside)
    outcome = sandboxed(partial(unpack.run, plan, dirs, Report()), dirs.folder("unpack"))
    if outcome.fault or outcome.outside:
        return "\n".join([outcome.fault, *outcome.outside])
    if _state(outside) != before:
        return "something outside was changed"
    links = [file for file in dirs.folder("unpack").rglob("*") if file.is_symlink()]
    if links or any(not (file.is_file() or file.is_dir()) for file in dirs.tree.rglob("*")):
        return f"something else than files and folders was written: {links}"
    if outcome.error is None:
        complete = identity_of(dirs.tree) == release.identity()
        return "" if complete and archive.harmless else "it was accepted"
    message = str(outcome.error)
    if not message.isprintable() and not message.replace("\n", "").isprintable():
        return f"the message cannot be printed: {message!r}"
    return "" if outcome.error.exit_code in (21, 22) else f"exit code {outcome.error.exit_code}"


def test_hostile_archives_are_refused(plan: Plan, tmp_path: Path) -> None:
    """Each is refused, or its release is complete; all failures are reported at once."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("untouched")
    number, failures = 0, list[str]()
    for archive in corpus(str(outside)):
        number += 1
        if fault := _attempt(archive, plan, tmp_path / "checkout", outside):
            failures.append(f"{archive.name}: {fault}")

    assert [] == failures
    assert number >= AT_LEAST
