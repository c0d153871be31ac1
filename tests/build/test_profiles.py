"""Profiles: the shared library is compiled with that of its release, and other files are not."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.build import make, selection
from pipeline.model import Plan
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from pipeline.system.report import QuietReport
from pipeline.system.workspace import StepDirs
from tests.build.conftest import ARCH, ROOT, VERSIONS, Package, Which, of_each

# A function that is another one than when the profile was made is compiled without.
STALE = "profile data may be out of date"


def complaints(build: str, log: str, plan: Plan) -> Iterator[str]:
    """What is wrong with the commands of a build folder (ninja) and with what they have printed."""
    name = f"{plan.profile.removeprefix('sha256:')}.profdata"
    profiles: dict[str, set[str]] = {}
    for target, flags in re.findall(
        r"^build (\S+\.o): .*\n(?:  .*\n)*?  FLAGS = (.*)$", build, re.M
    ):
        used = re.findall(r"-fprofile-instr-use=\S*/(\S+)", flags)
        profiles.setdefault(target.split("/")[1], set()).update(used or [""])
    if profiles.pop("mimalloc.dir", set()) != {name}:
        yield f"the shared library is not compiled with {name}"
    yield from (
        f"{folder} is compiled with a profile" for folder, x in profiles.items() if x != {""}
    )
    if STALE in log:
        yield STALE


@of_each(Which(version, "el8", ARCH) for version in VERSIONS)
def test_the_library_is_compiled_with_its_profile(package: Package, which: Which) -> None:
    """And no function has changed since it was made."""
    plan = package(*which).plan
    dirs = make.step_dirs(plan, workspace.locate(ROOT))
    make.step(plan, workspace.locate(ROOT), QuietReport(), "compile")

    assert [] == list(complaints(_commands(dirs), dirs.log("compile").read_text(), plan))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("-fprofile-instr-use", "-fother", "not compiled with"),
        (".profdata", ".other", "not compiled with"),
        ("FLAGS = ", "FLAGS = -fprofile-instr-use=/x/y.profdata ", "is compiled with a profile"),
    ],
)
def test_another_compilation_is_seen(package: Package, old: str, new: str, complaint: str) -> None:
    """Without a profile, with another one, and with one for the static library."""
    plan = package("2.0.9", "el8").plan
    place = workspace.locate(ROOT)
    make.step(plan, place, QuietReport(), "compile")
    commands = _commands(make.step_dirs(plan, place)).replace(old, new)

    assert complaint in " ".join(complaints(commands, "", plan))


def test_a_profile_of_another_source_is_seen(package: Package) -> None:
    """What the compiler prints where a function has changed."""
    plan = package("2.0.9", "el8").plan
    log = f"warning: {STALE}: of 400 functions, 1 has mismatched data that will be ignored"

    assert STALE in complaints("", log, plan)


def test_the_profile_makes_another_library() -> None:
    """It is not only named to the compiler."""
    plan, libraries = selection.plan(ROOT, "2.0.9", "el8", ARCH), set()
    for profile in (plan.profile, ""):
        other = replace(plan, recipe=replace(plan.recipe, profile=profile))
        make.step(other, workspace.locate(ROOT), QuietReport(), "stage")
        stage = make.step_dirs(other, workspace.locate(ROOT)).stage
        libraries.add(sha256_of(stage / str(plan.library).lstrip("/")))

    assert 2 == len(libraries)


def _commands(dirs: StepDirs) -> str:
    return (dirs.build / "build.ninja").read_text()
