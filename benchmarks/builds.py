"""The price of a build: `invoke build` beside a plain script that makes the same package."""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import kit, scenes
from benchmarks.columns import table
from benchmarks.scenes import Run, Scene
from benchmarks.settings import Settings, Target
from benchmarks.silent import Silent
from pipeline.build import make, selection
from pipeline.compare import statistics
from pipeline.model.errors import CheckError, FetchError
from pipeline.system import workspace
from pipeline.system.checksum import sha256_of
from pipeline.system.report import Report
from pipeline.toolchain import compiler

# What makes packages, in the order in which each round runs them.
BY_HAND, UNCHECKED, WHOLE = "by-hand.sh", "invoke package", "invoke build"
BARE, VERSION = "python -c pass", "invoke --version"


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of each round, by what was run; ``note`` says what else was found."""

    title: str
    reference: str
    rounds: Mapping[str, Sequence[float]]
    note: str = ""

    def lines(self) -> Iterator[str]:
        """The table."""
        yield self.title
        yield ""
        base = self.rounds[self.reference]
        rows = [
            [
                name,
                *(f"{value:.3f}" for value in (found.low, found.middle, found.high)),
                statistics.spread(statistics.ratios(seconds, base)).text(3),
            ]
            for name, seconds in self.rounds.items()
            for found in [statistics.spread(seconds)]
        ]
        yield from table(["seconds", "least", "median", "most", f"of {self.reference}"], rows)
        yield from ("", self.note) if self.note else ()


def run(settings: Settings, root: Path, report: Report) -> list[Timed]:
    """Measure, and print a table for each package and one for builds with nothing to do."""
    results, done = [], list[Target]()
    with tempfile.TemporaryDirectory(prefix="mimalloc-bench-") as folder:
        scene = scenes.scene(root, Path(folder))
        for target in settings.package:
            try:
                results.append(_cold(target, scene, settings.rounds.cold))
                done.append(target)
            except FetchError as problem:
                report.line(f"NOT MEASURED: the build of mimalloc {target.version}: {problem.what}")
        if done:
            results.append(_warm(done[0], scene, settings.rounds.warm))
    for result in results:
        for line in ("", *result.lines()):
            report.line(line)
    return results


def _which(target: Target) -> tuple[str, ...]:
    return ("--version", target.version, "--dist", target.dist)


def _cold(target: Target, scene: Scene, rounds: int) -> Timed:
    """Builds with the source fetched and the compiler's own cache warm, and no work folder."""
    checkout = scene.checkout
    plan = selection.plan(checkout.root, target.version, target.dist, platform.machine())
    # The first build warms that cache, and tells what the script must do.
    built = make.package(plan, checkout, Silent())
    dirs = make.step_dirs(plan, checkout)
    ours = {"library": sha256_of(dirs.stage / str(plan.library).lstrip("/")), "rpm": built.sha256}
    tools = kit.make(plan, dirs, scene.folder / f"{target.version}-{target.dist}")
    runs: dict[str, Run] = {
        BY_HAND: (tuple(map(str, tools.argv)), compiler.environment(plan, checkout)),
        UNCHECKED: scene.invoke("package", *_which(target)),
        WHOLE: scene.invoke("build", *_which(target)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    same = True
    for number in range(rounds):
        for name, each in statistics.turns(runs.items(), number):
            for old in (checkout.work, checkout.dist, tools.work):
                workspace.remove(old)
            seconds[name].append(scene.seconds(each))
            if name == BY_HAND:
                same = _hold_to_ours(tools, ours) and same
    made = "the same library and the same RPM" if same else "the same library"
    note = f"{BY_HAND} makes {made}, byte for byte."
    return Timed(f"{target.version} {target.dist}, cold", BY_HAND, seconds, note)


def _hold_to_ours(tools: kit.Kit, ours: Mapping[str, str]) -> bool:
    """Whoever makes another library may well be faster; the answer is whether the RPM is ours too.

    Raises CheckError for another library.
    """
    got = sha256_of(tools.library)
    if got != ours["library"]:
        raise CheckError(
            "the script makes another library than invoke build",
            expected=ours["library"],
            got=got,
            file=tools.argv[1],
            hint="bring benchmarks/kit.py up to the pipeline",
        )
    return sha256_of(tools.package) == ours["rpm"]


def _warm(target: Target, scene: Scene, rounds: int) -> Timed:
    """Builds with nothing to do, beside what Python and invoke take by themselves."""
    runs: dict[str, Run] = {
        BARE: ((sys.executable, "-c", "pass"), {}),
        VERSION: scene.invoke("--version"),
        WHOLE: scene.invoke("build", *_which(target)),
    }
    for each in runs.values():
        scene.seconds(each)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, each in statistics.turns(runs.items(), number):
            seconds[name].append(scene.seconds(each))
    return Timed(f"{target.version} {target.dist}, warm: nothing to do", VERSION, seconds)
