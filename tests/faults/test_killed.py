"""Killed anywhere: no part of a result, no lock, no child stays; the next run completes.

Moments come from a seeded generator. A run is killed after some seconds, or, where files get their
names, just before its n-th change of a file (see ``exit_at_change``).
"""

import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.config import load
from pipeline.system.checksum import sha256_of
from tests.faults.project import (
    BUILD,
    DIST,
    EXIT_TIMEOUT,
    KEY,
    REPO,
    TIMEOUT,
    VERSION,
    Project,
)
from tests.tally import count

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
_EXIT_AT_CHANGE = Path(__file__).parent / "exit_at_change"

# The latest moment of a kill, in seconds after the start.
_LATEST = 6.0


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether all is tried, and not a sample."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def rounds(full: bool) -> int:
    """How often something is killed."""
    return 100 if full else 6


def _kill(
    project: Project,
    moment: float,
    number: signal.Signals,
    *command: str,
    wait: bool = True,
    **env: str,
) -> bool:
    """Start a command and kill it after some seconds; whether it had ended before."""
    child = project.start(*command, **env)
    deadline = time.monotonic() + moment
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    early = child.poll() is not None
    child.send_signal(number)
    child.wait(timeout=EXIT_TIMEOUT)
    if wait:
        project.wait_for_programs()
    output, _ = child.communicate(timeout=TIMEOUT)
    assert "Traceback" not in output, output
    if not early:
        count("kills")
    assert not early or 0 == child.returncode, output
    return early


def _changes(project: Project, below: Path, *command: str, **env: str) -> int:
    """How many changes of files below a folder a command makes."""
    log = project.folder / "changes"
    log.unlink(missing_ok=True)
    project.succeed(*command, **_fault(project, below, 0, signal.SIGTERM), **env)
    return log.stat().st_size


def _kill_at(
    project: Project, below: Path, at: int, number: signal.Signals, *command: str, **env: str
) -> None:
    code, output = project.run(*command, **_fault(project, below, at, number), **env)
    count("kills")
    assert code == (130 if number == signal.SIGTERM else -number), output
    project.wait_for_programs()


def _fault(project: Project, below: Path, at: int, number: signal.Signals) -> dict[str, str]:
    return {
        "PYTHONPATH": str(_EXIT_AT_CHANGE),
        "FAULT_BELOW": str(below),
        "FAULT_AT": str(at),
        "FAULT_SIGNAL": str(int(number)),
        "FAULT_LOG": str(project.folder / "changes"),
    }


def _sample(total: int, rounds: int, seed: str) -> list[tuple[int, signal.Signals]]:
    """A sample of changes with a signal each, or all changes with all signals."""
    pairs = [(at, number) for at in range(1, total + 1) for number in SIGNALS]
    return sorted(random.Random(seed).sample(pairs, min(rounds, len(pairs))))


def _check_rest(project: Project, expected: dict[str, str]) -> None:
    """What has a final name is as expected, no lock is held, no source is altered."""
    assert project.final_checksums().items() <= expected.items()
    assert [] == project.held_locks()
    assert [] == project.altered_sources()


def test_a_build_killed_at_any_moment(project: Project, rounds: int) -> None:
    """Each run continues where the one before was killed; the last ends with the same bytes."""
    expected, moments = project.final_checksums(), random.Random("build")
    project.remove_results()
    kills = 0
    while kills < rounds:
        number = SIGNALS[kills % 2]
        # A run that starts at once still finds programs of the killed one.
        wait = kills % 4 < 2
        moment = moments.uniform(0.1, _LATEST)
        if _kill(project, moment, number, *BUILD, "--offline", wait=wait):
            assert expected == project.checksums()
            project.remove_results()
            continue
        kills += 1
        if wait:
            _check_rest(project, expected)

    project.succeed(*BUILD, "--offline")
    assert expected == project.checksums()


def test_a_build_killed_while_packages_get_their_names(project: Project, rounds: int) -> None:
    """Package, bill and statement: each is complete or not there, and no part matches."""
    expected = project.final_checksums()

    project.succeed(*BUILD, "--offline")
    shutil.rmtree(project.dist)
    total = _changes(project, project.dist, *BUILD, "--offline")
    for at, number in _sample(total, rounds, "placing"):
        shutil.rmtree(project.dist, ignore_errors=True)
        _kill_at(project, project.dist, at, number, *BUILD, "--offline")
        _check_rest(project, expected)
        project.succeed(*BUILD, "--offline")
        assert expected == project.checksums(), (at, number)


def _contents(project: Project) -> dict[str, bytes]:
    """The content of every package without its signature."""
    return {file.name: statement.signed_content(file) for file in project.dist.rglob("*.rpm")}


def test_signing_killed_while_packages_are_replaced(
    project: Project, rounds: int, keys: dict[str, str]
) -> None:
    """The next signing completes; the content of packages stays; a build keeps them."""
    unsigned = project.folder / "unsigned"
    shutil.copytree(project.dist, unsigned)
    names = set(project.final_checksums())
    total = _changes(project, project.dist, "sign", "--key", KEY, **keys)
    contents = _contents(project)
    for at, number in _sample(total, rounds, "signing"):
        shutil.rmtree(project.dist)
        shutil.copytree(unsigned, project.dist)
        _kill_at(project, project.dist, at, number, "sign", "--key", KEY, **keys)
        assert contents == _contents(project)
        assert [] == project.held_locks()

        project.succeed("sign", "--key", KEY, **keys)

        assert contents == _contents(project)
        assert names == set(project.checksums())
        assert all(statement.matches(file) for file in project.dist.rglob("*.rpm"))
        signed = project.checksums()
        assert "up to date" in project.succeed(*BUILD, "--offline")
        assert signed == project.checksums()
    shutil.rmtree(unsigned)


def _served(project: Project) -> dict[str, str]:
    """The checksums of the packages in the repository, which has them signed."""
    checksums = {}
    tree = project.root / "repository"
    for sums in tree.glob("*/*/SHA256SUMS"):
        folder = sums.parent
        assert sums.with_name("SHA256SUMS.asc").is_file()
        assert (folder / "repodata" / "repomd.xml.asc").is_file()
        for line in sums.read_text().splitlines():
            sha256, name = line.split("  ")
            assert sha256 == sha256_of(folder / name)
            checksums[f"{folder.relative_to(tree)}/{name}"] = sha256
    return checksums


def test_a_repository_killed_while_it_is_made(
    project: Project, rounds: int, keys: dict[str, str]
) -> None:
    """What is served is always complete: nothing, or the tree; and nothing else is left."""
    project.succeed("sign", "--key", KEY, **keys)
    trees, link = project.root / ".repository", project.root / "repository"

    def remove_repository() -> None:
        shutil.rmtree(trees, ignore_errors=True)
        link.unlink(missing_ok=True)

    total = _changes(project, project.root, *REPO, **keys)
    expected, count_before = _served(project), len(list(link.rglob("*")))
    files = sorted(file.name for file in project.root.iterdir())
    assert expected
    for at, number in _sample(total, rounds, "repo"):
        remove_repository()
        _kill_at(project, project.root, at, number, *REPO, **keys)
        assert _served(project) in ({}, expected)
        assert link.exists() == link.is_symlink()
        assert [] == project.held_locks()

        project.succeed(*REPO, **keys)

        assert expected == _served(project)
        assert count_before == len(list(link.rglob("*")))
        assert [link.resolve()] == list(trees.iterdir())
        assert files == sorted(file.name for file in project.root.iterdir())


def test_a_repository_killed_at_any_moment(
    project: Project, rounds: int, keys: dict[str, str]
) -> None:
    """The same after some seconds, also in programs that it starts."""
    project.succeed("sign", "--key", KEY, **keys)
    project.succeed(*REPO, **keys)
    expected, moments = _served(project), random.Random("repo")
    for index in range(rounds):
        shutil.rmtree(project.root / ".repository")
        (project.root / "repository").unlink(missing_ok=True)
        _kill(project, moments.uniform(0.1, 1.2), SIGNALS[index % 2], *REPO, wait=True, **keys)
        assert _served(project) in ({}, expected)
        assert [] == project.held_locks()

        project.succeed(*REPO, **keys)
        assert expected == _served(project)


@pytest.fixture
def small(project: Project) -> Project:
    """A project for one dist and one machine, in which a bump is short."""
    for dist in set(load.dists(project.root)) - {DIST}:
        (project.root / "buildroot" / f"{dist}.toml").unlink()
    root = project.root / "buildroot" / f"{DIST}.toml"
    root.write_text(re.sub(r"(?ms)^\[machine\.aarch64.*?(?=^\[|\Z)", "", root.read_text()))
    return project


def test_a_bump_killed_at_any_moment(small: Project, rounds: int, full: bool) -> None:
    """Each file is as before or as after, the recipe last; the last run ends with all of them."""
    # Each takes long.
    rounds = rounds if full else rounds // 2
    moments = random.Random("bump")
    command = ("release", "--version", VERSION, "--release", "2", "--reason", "Try it", "--offline")
    before = _pinned(small.root)
    small.succeed(*command)
    after = _pinned(small.root)
    recipe = f"recipes/{VERSION}.toml"
    assert before[recipe] != after[recipe]

    def undo() -> None:
        for name, content in before.items():
            (small.root / name).write_bytes(content)

    undo()
    kills = 0
    while kills < rounds:
        number = SIGNALS[kills % 2]
        if _kill(small, moments.uniform(0.1, _LATEST), number, *command):
            assert after == _pinned(small.root)
            undo()
            continue
        kills += 1
        current = _pinned(small.root)
        assert all(current[name] in (before[name], after[name]) for name in after)
        assert current[recipe] == before[recipe] or all(current[n] == after[n] for n in after)
        assert [] == small.held_locks()

    small.succeed(*command)
    assert after == _pinned(small.root)


def _pinned(root: Path) -> dict[str, bytes]:
    """The files that a bump may write to."""
    files = (*(root / "recipes").rglob("*"), *root.glob("*.md"))
    return {str(file.relative_to(root)): file.read_bytes() for file in files if file.is_file()}
