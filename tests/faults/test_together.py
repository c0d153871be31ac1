"""Several runs at once: all succeed, what they share is done once, results are the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence

import pytest

from pipeline.artifact import statement
from pipeline.build.order import STEPS
from tests.faults import house as houses
from tests.faults.house import BUILD, DIST, REPO, SIGN, VERSION, House

AT_ONCE = 8


@pytest.fixture
def house(built: House) -> House:
    """The house; what one test leaves, the next one finds."""
    return built


def _ended(children: Sequence[subprocess.Popen[str]]) -> list[str]:
    """What each has said, once all have ended well."""
    told = [child.communicate(timeout=houses.PATIENCE)[0] for child in children]
    assert [0] * len(children) == [child.returncode for child in children], "\n".join(told)
    return told


def _times(step: str, told: Sequence[str]) -> int:
    """How often a step was done, and not found done."""
    return sum(len(re.findall(rf"(?m)^  {step} +[0-9.]+ s", text)) for text in told)


def test_eight_builds_of_one_package(house: House) -> None:
    """One of them does it, each step once; the others find it up to date."""
    whole = house.named()
    house.forget()

    told = _ended([house.start(*BUILD, "--offline") for _ in range(AT_ONCE)])

    assert {step.name: 1 for step in STEPS} == {
        step.name: _times(step.name, told) for step in STEPS
    }
    assert AT_ONCE - 1 == sum("up to date" in text for text in told)
    assert whole == house.results()


def test_builds_of_packages_that_share_a_source(house: House) -> None:
    """What they have in common is done once, and each is what it is when it is built alone."""
    dists = (DIST, "el9")
    commands = [("build", "--version", VERSION, "--dist", dist, "--offline") for dist in dists]
    for command in commands:
        house.done(*command)
    whole = house.named()
    house.forget()

    told = _ended([house.start(*command) for command in commands])

    assert [1, 1, 1] == [_times(step, told) for step in ("fetch", "unpack", "patch")]
    assert whole == house.results()
    for dist in dists[1:]:
        shutil.rmtree(house.dist / dist)


def test_builds_beside_clean(house: House) -> None:
    """Whoever cleans waits for builds, and builds wait for it; none meets half a folder."""
    whole = house.named()
    house.forget()
    children = []
    for command in (BUILD, ("clean",), BUILD, ("clean",), BUILD):
        children.append(house.start(*command, *(["--offline"] if command == BUILD else [])))
        time.sleep(0.3)

    _ended(children)

    assert whole == house.results()
    house.done(*BUILD, "--offline")
    assert whole == house.results()


def test_a_signing_beside_builds(house: House, keys: dict[str, str]) -> None:
    """A signed package is left as it is; in the end all is signed that was there."""
    names = set(house.named())
    shutil.rmtree(house.root / "work", ignore_errors=True)
    children = [
        house.start(*command, **keys)
        for command in ((*BUILD, "--offline"), SIGN, (*BUILD, "--offline"), SIGN)
    ]

    _ended(children)

    assert names == set(house.results())
    signed = house.results()
    assert all(statement.vouches(file) for file in house.dist.rglob("*.rpm"))
    assert 2 == house.done(*SIGN, **keys).count("signed before")
    assert signed == house.results()


def test_two_repositories_at_once(house: House, keys: dict[str, str]) -> None:
    """One lays it out, the other finds it up to date."""
    house.done(*SIGN, **keys)

    told = _ended([house.start(*REPO, **keys) for _ in range(2)])

    assert ["made", "up to date"] == sorted(re.findall(r"(made|up to date): /", "\n".join(told)))
    assert [(house.root / "repository").resolve()] == list((house.root / ".repository").iterdir())
