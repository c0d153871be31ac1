"""A checkout under git, upstream's repository beside it, and trials without a compiler."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.bump import changes, pin, source_tree, trial_build
from pipeline.bump.changes import Change
from pipeline.bump.request import Request
from pipeline.bump.scratch import ScratchCheckout
from pipeline.config import load
from pipeline.model import Options
from pipeline.system.workspace import CACHE_VARIABLE
from tests.unit import release
from tests.unit.bump import upstream

# The release that the tests pin, and the pinned one that it is made from.
NEW, OLD = "2.2.9", "2.2.4"

# What is pinned in the checkout, whatever else the project has come to pin.
PINNED = (OLD, "2.4.1", "3.4.3")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Upstream's repository, with a release that is not pinned."""
    folder = upstream.create(tmp_path / "upstream")
    upstream.tag(folder, f"v{NEW}", upstream.tree(NEW))
    return folder


@pytest.fixture
def root(checkout: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, committed, with manifests, README and CHANGELOG; upstream is the only source."""
    monkeypatch.setenv(CACHE_VARIABLE, str(checkout.parent / "cache"))
    for name in ("README.md", "CHANGELOG.md", ".gitignore"):
        shutil.copyfile(project / name, checkout / name)
    shutil.copytree(project / "recipes" / "manifests", checkout / "recipes" / "manifests")
    for version in set(load.versions(checkout)) - set(PINNED):
        (checkout / "recipes" / f"{version}.toml").unlink()
    for version in PINNED:  # upstream's trees of the tests have nothing to patch
        shutil.rmtree(checkout / "patches" / version, ignore_errors=True)
        recipe = checkout / "recipes" / f"{version}.toml"
        text = re.sub(r"\[\[patch\]\].*?(?=\[\[)", "", recipe.read_text(), flags=re.DOTALL)
        notes = f'notes   = ["Package mimalloc {version}"]\n'
        recipe.write_text(re.sub(r"notes   = \[.*?\]\n", notes, text, flags=re.DOTALL))
    for dist in set(load.dists(checkout)) - {"el7", "el8"}:  # two are enough, and faster
        (checkout / "buildroot" / f"{dist}.toml").unlink()
    file = checkout / "recipes" / "package.toml"
    text = re.sub(r"(?m)^(sdist|debian) .*\n", "", file.read_text())
    licence = source_tree.licence_of(release.TREE["LICENSE"])
    file.write_text(re.sub(r'(?m)^(license_text = ").*(?=")', rf"\g<1>{licence}", text))
    upstream.git(checkout, "init", "--quiet")
    upstream.git(checkout, "add", "--all")
    upstream.git(checkout, "commit", "--quiet", "-m", "start")
    return checkout


@pytest.fixture
def status(root: Path) -> Callable[[], str]:
    """What git says of the checkout; empty where nothing has changed."""
    return lambda: upstream.git(root, "status", "--porcelain", "--untracked-files=all")


@pytest.fixture
def differences() -> list[Change]:
    """The changes that the comparison returns; a test adds to them."""
    return []


@pytest.fixture
def no_builds(monkeypatch: pytest.MonkeyPatch, differences: list[Change]) -> None:
    """Packages that are as those of the pinned release, without building any."""

    def write_manifests(scratch: ScratchCheckout) -> list[object]:
        for plan in scratch.plans():
            file = load.manifest_files(scratch.root, plan)[0]
            file.write_text(file.with_name(file.name.replace(NEW, OLD)).read_text())
        return []

    def with_other(*_: object) -> Iterator[Change]:
        yield from differences

    monkeypatch.setattr(trial_build, "write_manifests", write_manifests)
    monkeypatch.setattr(trial_build, "every_package", lambda _: None)
    monkeypatch.setattr(changes, "with_other", with_other)


@pytest.fixture
def bump(root: Path, repository: Path, no_builds: None) -> Callable[..., None]:
    """Pins the new release from upstream's repository, without the network."""

    def run(version: str = NEW, **flags: object) -> None:
        request = {"source": str(repository), "options": Options(offline=True), **flags}
        pin.run(root, Request(version, **request))  # type: ignore[arg-type]

    return run
