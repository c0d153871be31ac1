"""Killed anywhere: nothing half-made, no lock, no child; and the next run ends as if undisturbed.

Moments are drawn from a seed. Those of a running program are of the clock; where files get their
names, a process is ended just before its n-th change of a file (see ``ending``).
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.artifact import statement
from pipeline.artifact.signed_content import signed as content_of
from pipeline.config import load
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from tests.faults import house as houses
from tests.faults.house import BUILD, DIST, KEY, REPO, VERSION, House
from tests.faults.tally import tried

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
_ENDING = Path(__file__).parent / "ending"

# A moment of the clock is at most so many seconds after the start.
_LATEST = 6.0


@pytest.fixture
def house(built: House) -> Iterator[House]:
    """The same; afterwards it is as it was."""
    kept = built.folder / "kept"
    shutil.copytree(built.dist, kept)
    yield built
    workspace.remove(built.dist)
    shutil.copytree(kept, built.dist)
    shutil.rmtree(kept)


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether all is to be tried."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def rounds(full: bool) -> int:
    """How often something is killed."""
    return 100 if full else 10


def _kill(
    house: House,
    moment: float,
    number: signal.Signals,
    *command: str,
    patient: bool = True,
    **env: str,
) -> bool:
    """Start a command and end it after a while; whether it had come to its end before."""
    child = house.start(*command, **env)
    deadline = time.monotonic() + moment
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    early = child.poll() is not None
    child.send_signal(number)
    child.wait(timeout=houses.GONE)
    if patient:
        house.wait_until_gone()
    told, _ = child.communicate(timeout=houses.PATIENCE)
    assert "Traceback" not in told, told
    if not early:
        tried("kills")
    assert not early or 0 == child.returncode, told
    return early


def _changes(house: House, below: Path, *command: str, **env: str) -> int:
    """How many changes of files below a folder a command makes."""
    told = house.folder / "told"
    told.unlink(missing_ok=True)
    house.done(*command, **_fault(house, below, 0, signal.SIGTERM), **env)
    return told.stat().st_size


def _end_at(
    house: House, below: Path, at: int, number: signal.Signals, *command: str, **env: str
) -> None:
    code, told = house.run(*command, **_fault(house, below, at, number), **env)
    tried("kills")
    assert code == (130 if number == signal.SIGTERM else -number), told
    house.wait_until_gone()


def _fault(house: House, below: Path, at: int, number: signal.Signals) -> dict[str, str]:
    return {
        "PYTHONPATH": str(_ENDING),
        "FAULT_BELOW": str(below),
        "FAULT_AT": str(at),
        "FAULT_SIGNAL": str(int(number)),
        "FAULT_TOLD": str(house.folder / "told"),
    }


def _sample(total: int, rounds: int, seed: str) -> list[tuple[int, signal.Signals]]:
    """So many of the changes, or all of them, each with one of the signals or with both."""
    every = [(at, number) for at in range(1, total + 1) for number in SIGNALS]
    return sorted(random.Random(seed).sample(every, min(rounds, len(every))))


def _sound(house: House, whole: dict[str, str]) -> None:
    """Nothing that has a final name is another than an undisturbed run's; nothing is held."""
    assert house.named().items() <= whole.items()
    assert [] == house.held_locks()
    assert [] == house.spoilt_entries()


def test_a_build_killed_at_any_moment(house: House, rounds: int) -> None:
    """Each run goes on where the one before was killed; the last ends with the same bytes."""
    whole, moments = house.named(), random.Random("build")
    house.forget()
    kills = 0
    while kills < rounds:
        number = SIGNALS[kills % 2]
        # Who starts anew at once meets what has not ended yet.
        patient = kills % 4 < 2
        moment = moments.uniform(0.1, _LATEST)
        if _kill(house, moment, number, *BUILD, "--offline", patient=patient):
            assert whole == house.results()
            house.forget()
            continue
        kills += 1
        if patient:
            _sound(house, whole)

    house.done(*BUILD, "--offline")
    assert whole == house.results()


def test_a_build_killed_while_packages_get_their_names(house: House, rounds: int) -> None:
    """Package, bill and statement: each whole or not there, and nothing vouches for a part."""
    whole = house.named()

    def forget() -> None:
        shutil.rmtree(house.dist)

    house.done(*BUILD, "--offline")
    forget()
    total = _changes(house, house.dist, *BUILD, "--offline")
    for at, number in _sample(total, rounds, "placing"):
        forget()
        _end_at(house, house.dist, at, number, *BUILD, "--offline")
        _sound(house, whole)
        house.done(*BUILD, "--offline")
        assert whole == house.results(), (at, number)


def _contents(house: House) -> dict[str, bytes]:
    """What every package is beside its signature."""
    return {file.name: content_of(file) for file in house.dist.rglob("*.rpm")}


def test_signing_killed_while_packages_are_replaced(
    house: House, rounds: int, keys: dict[str, str]
) -> None:
    """The next signing ends; what is in the packages is what was built; a build keeps them."""
    unsigned = house.folder / "unsigned"
    shutil.copytree(house.dist, unsigned)
    names = set(house.named())
    total = _changes(house, house.dist, "sign", "--key", KEY, **keys)
    contents = _contents(house)
    for at, number in _sample(total, rounds, "signing"):
        shutil.rmtree(house.dist)
        shutil.copytree(unsigned, house.dist)
        _end_at(house, house.dist, at, number, "sign", "--key", KEY, **keys)
        assert contents == _contents(house)
        assert [] == house.held_locks()

        house.done("sign", "--key", KEY, **keys)

        assert contents == _contents(house)
        assert names == set(house.results())
        assert all(statement.vouches(file) for file in house.dist.rglob("*.rpm"))
        signed = house.results()
        assert "up to date" in house.done(*BUILD, "--offline")
        assert signed == house.results()
    shutil.rmtree(unsigned)


def _served(house: House) -> dict[str, str]:
    """What is served: packages by their checksums, which are signed, and names of all else."""
    found = {}
    tree = house.root / "repository"
    for sums in tree.glob("*/*/SHA256SUMS"):
        folder = sums.parent
        assert sums.with_name("SHA256SUMS.asc").is_file()
        assert (folder / "repodata" / "repomd.xml.asc").is_file()
        for line in sums.read_text().splitlines():
            told, name = line.split("  ")
            assert told == sha256_of(folder / name)
            found[f"{folder.relative_to(tree)}/{name}"] = told
    return found


def test_a_repository_killed_while_it_is_laid_out(
    house: House, rounds: int, keys: dict[str, str]
) -> None:
    """What is served is always whole: nothing, or the tree; and nothing is left lying about."""
    house.done("sign", "--key", KEY, **keys)
    trees, link = house.root / ".repository", house.root / "repository"

    def forget() -> None:
        shutil.rmtree(trees, ignore_errors=True)
        link.unlink(missing_ok=True)

    total = _changes(house, house.root, *REPO, **keys)
    whole, names = _served(house), sorted(file.name for file in link.rglob("*"))
    tops = sorted(file.name for file in house.root.iterdir())
    assert whole
    for at, number in _sample(total, rounds, "repo"):
        forget()
        _end_at(house, house.root, at, number, *REPO, **keys)
        assert _served(house) in ({}, whole)
        assert link.exists() == link.is_symlink()
        assert [] == house.held_locks()

        house.done(*REPO, **keys)

        assert whole == _served(house)
        assert len(names) == len(list(link.rglob("*")))
        assert [link.resolve()] == list(trees.iterdir())
        assert tops == sorted(file.name for file in house.root.iterdir())
    forget()


def test_a_repository_killed_at_any_moment(house: House, rounds: int, keys: dict[str, str]) -> None:
    """The same by the clock, in the programs that it starts, too."""
    house.done("sign", "--key", KEY, **keys)
    house.done(*REPO, **keys)
    whole, moments = _served(house), random.Random("repo")
    for each in range(rounds):
        shutil.rmtree(house.root / ".repository")
        (house.root / "repository").unlink(missing_ok=True)
        _kill(house, moments.uniform(0.1, 1.2), SIGNALS[each % 2], *REPO, patient=True, **keys)
        assert _served(house) in ({}, whole)
        assert [] == house.held_locks()

        house.done(*REPO, **keys)
        assert whole == _served(house)


@pytest.fixture
def small(house: House) -> House:
    """A checkout for one dist and one machine, in which a release is to get its next number."""
    for dist in set(load.dists(house.root)) - {DIST}:
        (house.root / "buildroot" / f"{dist}.toml").unlink()
    root = house.root / "buildroot" / f"{DIST}.toml"
    root.write_text(re.sub(r"(?ms)^\[machine\.aarch64.*?(?=^\[|\Z)", "", root.read_text()))
    return house


def test_a_bump_killed_at_any_moment(small: House, rounds: int, full: bool) -> None:
    """The checkout is as it was, or all is in place; the last run ends with the same files."""
    # Each of them takes long.
    rounds = rounds if full else rounds // 2
    moments = random.Random("bump")
    command = ("release", "--version", VERSION, "--release", "2", "--reason", "Try it", "--offline")
    before = _pinned(small.root)
    small.done(*command)
    after = _pinned(small.root)
    assert before != after

    def forget() -> None:
        for name, content in before.items():
            (small.root / name).write_bytes(content)

    forget()
    kills = 0
    while kills < rounds:
        number = SIGNALS[kills % 2]
        if _kill(small, moments.uniform(0.1, _LATEST), number, *command):
            assert after == _pinned(small.root)
            forget()
            continue
        kills += 1
        assert _pinned(small.root) in (before, after)
        assert [] == small.held_locks()

    small.done(*command)
    assert after == _pinned(small.root)
    assert not (small.root / ".bump").exists()


def _pinned(root: Path) -> dict[str, bytes]:
    """What a bump writes to."""
    files = (*(root / "recipes").rglob("*"), *root.glob("*.md"))
    return {str(file.relative_to(root)): file.read_bytes() for file in files if file.is_file()}
