"""The patches of 2.0.6 and 2.0.9 are needed, and sufficient, by the counts of the probe."""

import re
from pathlib import Path

import pytest

from pipeline.artifact import placement
from pipeline.build import make, selection
from pipeline.inspect import payload
from pipeline.model.errors import CheckError
from pipeline.smoke import probe, trials
from pipeline.system import workspace
from pipeline.system.report import Report
from pipeline.toolchain import emulator
from tests.build.conftest import ARCH, NEWEST, ROOT, SEED, VERSIONS, Package, Which, of_each

TOTAL = re.compile(r"aligned: total calls (\d+) misaligned (\d+) corrupt (\d+) failed (\d+)")


@of_each(
    [
        *(Which(version, "el7") for version in VERSIONS),
        *(Which(version, dist, "aarch64") for version in VERSIONS for dist in ("el7", "el10")),
        Which(NEWEST, "el10"),
        Which(NEWEST, "el8", flavor="secure"),
    ]
)
def test_every_package_returns_aligned_blocks(package: Package, which: Which) -> None:
    """Half a million calls through every aligned entry point, and no misaligned block.

    Under the emulator a third of them: of each size and alignment one block.
    """
    built = package(*which)
    log = make.step_dirs(built.plan, workspace.locate(ROOT)).log("check").read_text()

    counts = TOTAL.search(log)
    assert counts
    calls, *wrong = map(int, counts.groups())
    assert (150_000 if emulator.runner(built.plan) else 500_000) < calls
    assert [0, 0, 0] == wrong


@pytest.mark.parametrize(
    ("version", "count"),
    [(SEED, 1864), pytest.param("2.0.9", 1838, marks=pytest.mark.full)],
)
def test_without_its_patch_the_package_is_refused(
    package: Package, checkout: Path, tmp_path: Path, version: str, count: int
) -> None:
    """The check finds the misaligned blocks of the release as upstream tagged it.

    It also finds some with the few blocks that it allocates under the emulator.
    """
    package(version, "el7")
    recipe = checkout / "recipes" / f"{version}.toml"
    text = recipe.read_text()
    recipe.write_text(re.sub(r"\[\[patch\]\].*?(?=\[\[)", "", text, flags=re.DOTALL))
    place = workspace.locate(checkout)
    plan = selection.plan(checkout, version, "el7", ARCH)

    with pytest.raises(CheckError) as caught:
        make.package(plan, place, Report())

    assert "trials: aligned: expected passed, got:" in caught.value.detail
    counts = TOTAL.search(caught.value.detail)
    assert counts
    assert count == int(counts[2])
    assert not placement.destination(plan, place).exists()
    dirs = make.step_dirs(plan, place)
    library = payload.place(dirs.unpacked, plan.preload)
    program = str(dirs.folder("check") / "aligned")
    given = trials.EMULATED["aligned"]
    command = emulator.start([program, *given], {"LD_PRELOAD": str(library)})
    few = probe.attempt("aligned", command, tmp_path)
    counts = TOTAL.search(few.output)
    assert counts
    assert 0 < int(counts[2]) < count
