"""`invoke bump` with real builds: a release that is not pinned, from its source to packages.

Each test starts where the one before it ended, in one checkout: what is built is built once.
"""

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
from pipeline.bump import recipe_writer
from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.report import Report
from tests.build.conftest import ARCH, NEWEST, ROOT, Package, invoke_in

DIST = "el8"
FORMER = "3.2.8"

# What the newest release must decide on.
SECURE = '[flavor.secure]\nlevel = 5\ncmake.MI_SECURE_FULL = "ON"\n'

# What a package installs since 2.2, in the manifests that the release is compared with.
HEADER = "mimalloc-stats.h"


def _git(folder: Path, *arguments: str, **environment: str) -> str:
    identity = {f"GIT_{role}_NAME": "test" for role in ("AUTHOR", "COMMITTER")}
    identity |= {f"GIT_{role}_EMAIL": "test@test.invalid" for role in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **identity, **environment},
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
    make.step(built.plan, workspace.locate(ROOT), Report(), "unpack")
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
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout for one dist and one machine, in which the newest release is not pinned."""
    checkout = tmp_path_factory.mktemp("project") / "checkout"
    checkout.mkdir()
    for name in ("recipes", "patches", "buildroot", "cli", "pipeline", "benchmarks"):
        shutil.copytree(ROOT / name, checkout / name)
    for name in ("tasks.py", "README.md", "CHANGELOG.md", ".gitignore"):
        shutil.copy(ROOT / name, checkout / name)
    for file in (*(checkout / "recipes").rglob(f"{NEWEST}.*"),):
        file.unlink()
    shutil.rmtree(checkout / "patches" / NEWEST)
    # The release is made from the former one, whatever else the project has come to pin.
    for version in set(load.versions(checkout)) - {FORMER}:
        (checkout / "recipes" / f"{version}.toml").unlink()
    for dist in set(load.dists(checkout)) - {DIST}:
        (checkout / "buildroot" / f"{dist}.toml").unlink()
    root = checkout / "buildroot" / f"{DIST}.toml"
    root.write_text(re.sub(r"(?ms)^\[machine\.aarch64.*?(?=^\[|\Z)", "", root.read_text()))
    readme, log = checkout / "README.md", checkout / "CHANGELOG.md"
    readme.write_text(re.sub(rf"(?m)^\| {re.escape(NEWEST)} \|.*\n", "", readme.read_text()))
    log.write_text(log.read_text().replace(f" and {NEWEST}", ""))
    for manifest in (checkout / "recipes" / "manifests").glob(f"{FORMER}.txt"):
        lines = manifest.read_text().splitlines(keepends=True)
        manifest.write_text("".join(line for line in lines if HEADER not in line))
    _git(checkout, "init", "--quiet")
    _git(checkout, "add", "--all")
    _git(checkout, "commit", "--quiet", "-m", "start")
    return checkout


@pytest.fixture(scope="module")
def draft(checkout: Path) -> Path:
    """What a maintainer makes of the former recipe: our options, patches and changelog."""
    former, ours = (
        (where / "recipes" / f"{version}.toml").read_text().partition("[cmake]\n")
        for where, version in ((checkout, FORMER), (ROOT, NEWEST))
    )
    shutil.copytree(ROOT / "patches" / NEWEST, checkout / "patches" / NEWEST)
    _git(checkout, "add", "--all")
    _git(checkout, "commit", "--quiet", "-m", "patches")
    draft = checkout.with_name("draft.toml")
    draft.write_text(former[0].replace(FORMER, NEWEST) + "".join(ours[1:]))
    return draft


@pytest.fixture
def bump(checkout: Path, source: Path, draft: Path) -> Callable[..., tuple[int, str]]:
    """Runs `invoke bump` for the newest release; returns exit code and output."""
    command = _command(source, "--draft", str(draft))

    def run(*arguments: str) -> tuple[int, str]:
        done = invoke_in(checkout, *command, *arguments)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


Bump = Callable[..., tuple[int, str]]


def _command(source: Path, *arguments: str) -> tuple[str, ...]:
    """What pins the newest release."""
    return ("bump", "--version", NEWEST, "--source", str(source), *arguments)


def _status(checkout: Path) -> str:
    return _git(checkout, "status", "--porcelain", "--untracked-files=all")


def test_an_option_that_nobody_has_decided_on_stops_it(checkout: Path, source: Path) -> None:
    """The former recipe does not set it; the message has what upstream says of it."""
    done = invoke_in(checkout, *_command(source))

    assert 40 == done.returncode
    assert re.search(r"\n +MI_SECURE_FULL=OFF    Use full security mitigations", done.stderr)
    assert "or set it in [cmake] of " in done.stderr
    assert "" == _status(checkout)


def test_a_patch_that_does_not_apply_stops_it(checkout: Path, source: Path) -> None:
    """The former release's, which the new one still needs; the message has where to write it."""
    start = checkout.with_name("former.toml")
    text = (checkout / "recipes" / f"{FORMER}.toml").read_text()
    start.write_text(f"{text}\n{SECURE}")
    command = _command(source, "--draft", str(start))
    done = invoke_in(checkout, *command)

    assert 40 == done.returncode
    assert f"does not apply to mimalloc {NEWEST}, and the release still needs it" in done.stderr
    assert f"write it anew, below patches/{NEWEST}/" in done.stderr
    assert "" == _status(checkout)


def test_killed_while_it_compiles_the_checkout_is_unchanged(
    checkout: Path, source: Path, draft: Path
) -> None:
    """SIGKILL to the process group, in the middle of a real build."""
    command = ["invoke", *_command(source, "--draft", str(draft))]
    scratch = checkout / "work" / "v1" / "bump" / NEWEST / "checkout"
    log = "work/v1/compile/*/log"
    former = set(scratch.glob(log))
    with subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.DEVNULL, start_new_session=True
    ) as child:
        deadline = time.monotonic() + 120
        while set(scratch.glob(log)) <= former and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGKILL)

    assert -signal.SIGKILL == child.returncode
    assert "" == _status(checkout)


def test_a_changed_file_list_stops_it(checkout: Path, bump: Bump) -> None:
    """The message has the path, the packages, and the effect on users."""
    code, output = bump()

    assert 40 == code
    assert "has changes that are not accepted: files, settings" in output
    assert re.search(rf"\+ \S*/include/mimalloc-{{line}}/{HEADER} +\(plain\)", output)
    assert "so: after the update other paths are there" in output
    assert "MIMALLOC_ARENA_IS_NUMA_LOCAL: none -> 0" in output
    assert "--accept files,settings" in output
    assert "" == _status(checkout)


def test_a_release_is_pinned_as_we_have_pinned_it(checkout: Path, bump: Bump) -> None:
    """Once that is accepted; the result is our recipe, manifests and README, without a profile.

    The repository was made here, so its commit, and with it the tarball, is not upstream's. Dates
    differ, and a host that can make a profile makes one of its own.
    """
    code, output = bump("--accept", "files,settings")

    assert 0 == code, output
    assert f"sdist       cmeel-mimalloc=={NEWEST}: agrees" in output
    assert re.search(rf"{FORMER} +VSZ +\d+ KiB +RSS +\d+ KiB\n.* {NEWEST} +VSZ +\d+ KiB", output)
    (log,) = map(
        Path,
        re.findall(
            rf"^ +(/.+/smoke/mimalloc-custom-{NEWEST}-1\.{DIST}\.{ARCH}\.log)$", output, re.M
        ),
    )
    assert ["threads", "python3", "pipeline", "nginx"] == re.findall(
        r"(?m)^(\w+): passed$", log.read_text()
    )
    for file in (checkout / "recipes" / "manifests").glob(f"{NEWEST}.*"):
        assert (ROOT / file.relative_to(checkout)).read_text() == file.read_text()
    assert 2 == len(list((checkout / "recipes" / "manifests").glob(f"{NEWEST}.*")))
    options = Path("recipes", "options", f"{NEWEST}.txt")
    assert (ROOT / options).read_text() == (checkout / options).read_text()
    assert (ROOT / "README.md").read_text() == (checkout / "README.md").read_text()
    name = Path("recipes") / f"{NEWEST}.toml"
    ours, theirs = (_comparable((where / name).read_text()) for where in (ROOT, checkout))
    assert ours == theirs
    assert f"- Packages of mimalloc {NEWEST}." in (checkout / "CHANGELOG.md").read_text()


def _comparable(recipe: str) -> str:
    """A recipe without its date, the checksum of upstream's tarball, and the profile."""
    recipe = re.sub(r"(?m)^date .*$", "date", recipe_writer.without_profile(recipe))
    return re.sub(r'(?m)(?<=tar\.gz"\n)sha256 = .*$', "sha256", recipe)


def test_a_second_run_has_nothing_to_do(checkout: Path, bump: Bump) -> None:
    """And changes nothing."""
    before = _status(checkout)

    code, output = bump()
    assert (0, True) == (code, output.endswith("nothing to do\n"))
    assert before == _status(checkout)


def test_the_release_number_is_raised_with_packages_that_work(checkout: Path, source: Path) -> None:
    """Every package is built under the new number before the recipe has it."""
    command = ("release", "--version", NEWEST, "--reason", "Try it", "--source", str(source))
    done = invoke_in(checkout, *command, "--release", "2")
    back = invoke_in(checkout, *command, "--release", "1")

    assert 0 == done.returncode, done.stderr
    assert 2 == load.recipe(checkout, NEWEST).release
    dist = checkout / "work" / "v1" / "bump" / NEWEST / "checkout" / "dist"
    assert list(dist.rglob(f"mimalloc-custom-{NEWEST}-2.{DIST}.{ARCH}.rpm"))
    assert 40 == back.returncode
    assert "must rise" in back.stderr


def test_an_option_that_upstream_dropped_is_named(
    checkout: Path, source: Path, draft: Path
) -> None:
    """cmake would ignore it; the message has the recipe to correct, and the next command."""
    wrong = checkout.with_name("wrong.toml")
    wrong.write_text(draft.read_text().replace("[cmake]\n", '[cmake]\nMI_GONE = "ON"\n'))
    command = _command(source, "--draft", str(wrong))
    done = invoke_in(checkout, *command, "--force")

    assert 24 == done.returncode
    assert f"mimalloc {NEWEST} has no option MI_GONE" in done.stderr
    assert "--draft" in done.stderr
