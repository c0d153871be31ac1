"""A checkout under git, an upstream beside it, and a proof that needs no compiler."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.bump import comparison, pin, state, trial_build
from pipeline.bump.changes import Change
from pipeline.config import load
from pipeline.system.report import Report
from pipeline.system.workspace import CACHE_VARIABLE
from tests.unit.bump import upstream

# The release that the tests pin, and the pinned one that it takes after.
NEW, OLD = "2.2.9", "2.2.4"

# What is pinned in the checkout, whatever else the project has come to pin.
PINNED = (OLD, "2.4.1", "3.4.3")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Upstream's repository, with a release that is not pinned."""
    made = upstream.create(tmp_path / "upstream")
    upstream.tag(made, f"v{NEW}", upstream.tree(NEW))
    return made


@pytest.fixture
def house(checkout: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scratch checkout, committed, with manifests and texts; nobody packages the tree again."""
    monkeypatch.setenv(CACHE_VARIABLE, str(checkout.parent / "cache"))
    for name in ("README.md", "CHANGELOG.md", ".gitignore"):
        shutil.copyfile(project / name, checkout / name)
    shutil.copytree(project / "recipes" / "manifests", checkout / "recipes" / "manifests")
    for version in set(load.versions(checkout)) - set(PINNED):
        (checkout / "recipes" / f"{version}.toml").unlink()
    for dist in ("el9", "el10"):  # two are enough, and faster
        (checkout / "buildroot" / f"{dist}.toml").unlink()
    file = checkout / "recipes" / "package.toml"
    file.write_text(re.sub(r"(?m)^(sdist|debian) .*\n", "", file.read_text()))
    upstream.git(checkout, "init", "--quiet")
    upstream.git(checkout, "add", "--all")
    upstream.git(checkout, "commit", "--quiet", "-m", "start")
    return checkout


@pytest.fixture
def status(house: Path) -> Callable[[], str]:
    """What git says of the checkout; nothing where all is as it was."""
    return lambda: upstream.git(house, "status", "--porcelain", "--untracked-files=all")


@pytest.fixture
def found() -> list[Change]:
    """The changes that the canned comparison finds; a test adds to them."""
    return []


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch, found: list[Change]) -> None:
    """Packages that are as those of the pinned release, without building any."""

    def lists(
        text: str, version: str, bench: trial_build.ScratchCheckout, report: Report
    ) -> list[trial_build.Sample]:
        (bench.root / "recipes" / f"{version}.toml").write_text(text)
        for plan in state.plans(bench.root, version):
            file = load.manifest_file(bench.root, plan)
            former = file.with_name(file.name.replace(version, OLD))
            file.write_text(former.read_text())
        return []

    def with_other(*_: object) -> Iterator[Change]:
        yield from found

    monkeypatch.setattr(trial_build, "lists", lists)
    monkeypatch.setattr(trial_build, "everything", lambda *_: None)
    monkeypatch.setattr(comparison, "with_other", with_other)


@pytest.fixture
def bump(house: Path, repository: Path, canned: None) -> Callable[..., None]:
    """Pins the new release out of upstream's repository; nothing else is asked."""

    def run(version: str = NEW, **order: object) -> None:
        asked = {"source": str(repository), "offline": True, **order}
        pin.run(house, pin.Order(version, **asked), Report())  # type: ignore[arg-type]

    return run
