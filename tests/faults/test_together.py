"""Several runs at once: all succeed, what they share is done once, results are the same."""

import re
import shutil
import subprocess
import time
from collections.abc import Sequence

import pytest

from pipeline.artifact import statement
from pipeline.build.order import STEPS
from tests.faults.project import BUILD, DIST, REPO, SIGN, TIMEOUT, VERSION, Project

RUNS = 8


def _outputs(children: Sequence[subprocess.Popen[str]]) -> list[str]:
    """The output of each run, once all have succeeded."""
    outputs = [child.communicate(timeout=TIMEOUT)[0] for child in children]
    assert [0] * len(children) == [child.returncode for child in children], "\n".join(outputs)
    return outputs


def _count(step: str, outputs: Sequence[str]) -> int:
    """How often a step was done, and was not up to date."""
    return sum(len(re.findall(rf"(?m)^  {step} +[0-9.]+ s", output)) for output in outputs)


def test_eight_builds_of_one_package(project: Project) -> None:
    """One of them builds it, each step once; for the others it is up to date."""
    expected = project.final_checksums()
    project.remove_results()

    outputs = _outputs([project.start(*BUILD, "--offline") for _ in range(RUNS)])

    assert {step.name: 1 for step in STEPS} == {
        step.name: _count(step.name, outputs) for step in STEPS
    }
    assert RUNS - 1 == sum("up to date" in output for output in outputs)
    assert expected == project.checksums()


@pytest.mark.full
def test_builds_of_packages_that_share_a_source(project: Project) -> None:
    """What they have in common is done once, and each is as if it were built alone."""
    dists = (DIST, "el9")
    commands = [("build", "--version", VERSION, "--dist", dist, "--offline") for dist in dists]
    for command in commands:
        project.succeed(*command)
    expected = project.final_checksums()
    project.remove_results()

    outputs = _outputs([project.start(*command) for command in commands])

    assert [1, 1, 1] == [_count(step, outputs) for step in ("fetch", "unpack", "patch")]
    assert expected == project.checksums()


def test_builds_beside_clean(project: Project) -> None:
    """Cleaning waits for builds, and builds wait for it; none of them sees half a folder."""
    expected = project.final_checksums()
    project.remove_results()
    children = []
    for command in (BUILD, ("clean",), BUILD, ("clean",), BUILD):
        children.append(project.start(*command, *(["--offline"] if command == BUILD else [])))
        time.sleep(0.3)

    _outputs(children)

    assert expected == project.checksums()
    project.succeed(*BUILD, "--offline")
    assert expected == project.checksums()


def test_a_signing_beside_builds(project: Project, keys: dict[str, str]) -> None:
    """A build leaves a signed package as it is; in the end all packages are signed."""
    names = set(project.final_checksums())
    shutil.rmtree(project.root / "work", ignore_errors=True)
    children = [
        project.start(*command, **keys)
        for command in ((*BUILD, "--offline"), SIGN, (*BUILD, "--offline"), SIGN)
    ]

    _outputs(children)

    assert names == set(project.checksums())
    signed = project.checksums()
    assert all(statement.matches(file) for file in project.dist.rglob("*.rpm"))
    assert 3 == project.succeed(*SIGN, **keys).count("signed before")
    assert signed == project.checksums()


def test_two_repositories_at_once(project: Project, keys: dict[str, str]) -> None:
    """One run makes it, for the other it is up to date."""
    project.succeed(*SIGN, **keys)

    outputs = _outputs([project.start(*REPO, **keys) for _ in range(2)])

    verdicts = re.findall(r"(made|up to date): /", "\n".join(outputs))
    assert ["made", "up to date"] == sorted(verdicts)
    trees = list((project.root / ".repository").iterdir())
    assert [(project.root / "repository").resolve()] == trees
