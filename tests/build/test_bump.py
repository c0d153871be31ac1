"""`invoke bump` for real: a release that is not pinned, from its source to packages that work.

Each test goes on where the one before it has ended, in one checkout: what is built is built once.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.build import make
from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import ARCH, NEWEST, ROOT, Package, invoke_in

DIST = "el8"
FORMER = "3.2.8"

# What a package installs since 2.2, in the manifests that the release is compared with.
HEADER = "mimalloc-stats.h"


def _git(folder: Path, *arguments: str, **environment: str) -> str:
    who = {f"GIT_{role}_NAME": "test" for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": "test@test.invalid" for role in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **who, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def source(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the tag of the newest release, whose tree is the release's own."""
    built = package(NEWEST, DIST)
    tree = make.step_dirs(built.plan, workspace.locate(ROOT)).tree
    make.step(built.plan, workspace.locate(ROOT), Report(), "unpack", offline=False)
    repository = tmp_path_factory.mktemp("upstream") / "mimalloc"
    shutil.copytree(tree, repository)
    when = built.plan.recipe.released.isoformat()
    _git(repository, "init", "--quiet")
    _git(repository, "add", "--all")
    dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    _git(repository, "commit", "--quiet", "-m", "release", **dates)
    _git(repository, "tag", f"v{NEWEST}")
    return repository


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout for one dist and one machine, in which the newest release is not pinned."""
    house = tmp_path_factory.mktemp("house") / "checkout"
    house.mkdir()
    for name in ("recipes", "patches", "buildroot", "doors", "pipeline"):
        shutil.copytree(ROOT / name, house / name)
    for name in ("tasks.py", "README.md", "CHANGELOG.md", ".gitignore"):
        shutil.copy(ROOT / name, house / name)
    for file in (*(house / "recipes").rglob(f"{NEWEST}.*"),):
        file.unlink()
    # The release takes after the former one, whatever else the project has come to pin.
    for version in set(load.versions(house)) - {FORMER}:
        (house / "recipes" / f"{version}.toml").unlink()
    for dist in set(load.dists(house)) - {DIST}:
        (house / "buildroot" / f"{dist}.toml").unlink()
    root = house / "buildroot" / f"{DIST}.toml"
    root.write_text(re.sub(r"(?ms)^\[machine\.aarch64.*?(?=^\[|\Z)", "", root.read_text()))
    readme, log = house / "README.md", house / "CHANGELOG.md"
    readme.write_text(re.sub(rf"(?m)^\| {re.escape(NEWEST)} \|.*\n", "", readme.read_text()))
    log.write_text(log.read_text().replace(f" and {NEWEST}", ""))
    for manifest in (house / "recipes" / "manifests").glob(f"{FORMER}.{DIST}.txt"):
        lines = manifest.read_text().splitlines(keepends=True)
        manifest.write_text("".join(line for line in lines if HEADER not in line))
    _git(house, "init", "--quiet")
    _git(house, "add", "--all")
    _git(house, "commit", "--quiet", "-m", "start")
    return house


@pytest.fixture
def bump(house: Path, source: Path) -> Callable[..., tuple[int, str]]:
    """Runs `invoke bump` for the newest release; exit code and all that was said."""

    def run(*arguments: str) -> tuple[int, str]:
        done = invoke_in(house, "bump", "--version", NEWEST, "--source", str(source), *arguments)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


Bump = Callable[..., tuple[int, str]]


def _status(house: Path) -> str:
    return _git(house, "status", "--porcelain", "--untracked-files=all")


def test_killed_while_it_compiles_the_tree_is_as_before(house: Path, source: Path) -> None:
    """SIGKILL to the whole of it, in the middle of a real build."""
    command = ["invoke", "bump", "--version", NEWEST, "--source", str(source)]
    with subprocess.Popen(
        command, cwd=house, stdout=subprocess.DEVNULL, start_new_session=True
    ) as child:
        bench = house / "work" / "v1" / "bump" / NEWEST / "checkout"
        deadline = time.monotonic() + 120
        while not list(bench.glob("work/v1/compile/*/log")) and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGKILL)

    assert -signal.SIGKILL == child.returncode
    assert "" == _status(house)


def test_a_changed_file_list_stops_it(house: Path, bump: Bump) -> None:
    """It says which path, in which packages, and what that means for users."""
    code, told = bump()

    assert 40 == code
    assert "brings what nobody has accepted yet: files" in told
    assert re.search(rf"\+ \S*/include/mimalloc-{{line}}/{HEADER} +\({DIST}\)", told)
    assert "so: after an update other paths are there" in told
    assert "--accept files" in told
    assert "" == _status(house)


def test_a_release_is_pinned_as_we_have_pinned_it(house: Path, bump: Bump) -> None:
    """Once that is accepted; the result is our own recipe, manifests and README, but for the date.

    The repository was made here, so its commit, and with it the tarball, is not upstream's.
    """
    code, told = bump("--accept", "files")

    assert 0 == code, told
    assert f"sdist       cmeel-mimalloc=={NEWEST}: agrees" in told
    assert re.search(rf"{FORMER} +VSZ +\d+ KiB +RSS +\d+ KiB\n +{NEWEST} +VSZ +\d+ KiB", told)
    assert re.search(rf"{NEWEST}-1\.{DIST}\.{ARCH} +threads, python3, pipeline, nginx", told)
    for file in (house / "recipes" / "manifests").glob(f"{NEWEST}.*"):
        assert (ROOT / file.relative_to(house)).read_text() == file.read_text()
    assert 2 == len(list((house / "recipes" / "manifests").glob(f"{NEWEST}.*")))
    assert (ROOT / "README.md").read_text() == (house / "README.md").read_text()
    name = Path("recipes") / f"{NEWEST}.toml"
    ours, theirs = (_settled((where / name).read_text()) for where in (ROOT, house))
    assert ours == theirs
    assert f"- Packages of mimalloc {NEWEST}." in (house / "CHANGELOG.md").read_text()


def _settled(recipe: str) -> str:
    """A recipe without its date and the checksum of upstream's tarball."""
    recipe = re.sub(r"(?m)^date .*$", "date", recipe)
    return re.sub(r'(?m)(?<=tar\.gz"\n)sha256 = .*$', "sha256", recipe)


def test_a_second_run_has_nothing_to_do(house: Path, bump: Bump) -> None:
    """And touches nothing."""
    before = _status(house)

    code, told = bump()
    assert (0, True) == (code, told.endswith("nothing to do\n"))
    assert before == _status(house)


def test_the_release_number_rises_with_packages_that_work(house: Path, source: Path) -> None:
    """Every package is built under the new number before the recipe has it."""
    command = ("release", "--version", NEWEST, "--reason", "Try it", "--source", str(source))
    done = invoke_in(house, *command, "--release", "2")
    back = invoke_in(house, *command, "--release", "1")

    assert 0 == done.returncode, done.stderr
    assert 2 == load.recipe(house, NEWEST).release
    bench = house / "work" / "v1" / "bump" / NEWEST / "checkout" / "dist"
    assert list(bench.rglob(f"mimalloc-custom-{NEWEST}-2.{DIST}.{ARCH}.rpm"))
    assert 40 == back.returncode
    assert "must rise" in back.stderr


def test_an_option_that_upstream_dropped_is_named(house: Path, source: Path) -> None:
    """cmake would ignore it; the message says which recipe to correct, and how to go on."""
    draft = house / "draft.toml"
    text = (house / "recipes" / f"{FORMER}.toml").read_text()
    draft.write_text(text.replace("[cmake]\n", '[cmake]\nMI_GONE = "ON"\n'))
    command = ("bump", "--version", NEWEST, "--source", str(source), "--draft", str(draft))
    done = invoke_in(house, *command, "--force")
    draft.unlink()

    assert 24 == done.returncode
    assert f"mimalloc {NEWEST} does not know MI_GONE" in done.stderr
    assert "--draft" in done.stderr
