"""The price of the whole grid: its time beside what its work costs the processor, its memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import scenes
from benchmarks.columns import table
from benchmarks.scenes import Scene
from benchmarks.settings import Grid, Settings
from benchmarks.silent import Silent
from pipeline.build import make, order, selection
from pipeline.build.selection import Selection
from pipeline.model.errors import CompileError, FetchError
from pipeline.system import process
from pipeline.system.report import Report

# Seconds between two looks at the memory of all processes.
_BEAT = 0.5
_STEPS = tuple(step.name for step in order.STEPS)


@dataclass(frozen=True, slots=True)
class Measured:
    """What making all packages took: seconds by the clock and of the processors, MiB at the most.

    ``done`` is how often each step was done for so many ``packages``.
    """

    packages: int
    cores: int
    wall: float
    cpu: float
    memory: float
    done: tuple[int, ...]

    @property
    def ratio(self) -> float:
        """The time by what it would be, had every core been at work all the time."""
        return self.wall * self.cores / self.cpu

    def lines(self) -> Iterator[str]:
        """The tables."""
        row = [f"{self.wall:.1f}", f"{self.cpu:.1f}", str(self.cores), f"{self.ratio:.3f}"]
        head = ["packages", "seconds", "of the processor", "cores", "of the ideal", "most MiB"]
        yield from table(head, [[str(self.packages), *row, f"{self.memory:.0f}"]])
        yield ""
        yield from table(["step", *_STEPS], [["times done", *map(str, self.done)]])


def run(settings: Settings, root: Path, report: Report) -> Measured | None:
    """Make all packages of the releases whose source is at hand, and print what it took."""
    with tempfile.TemporaryDirectory(prefix="mimalloc-bench-") as folder:
        scene = scenes.scene(root, Path(folder))
        releases = list(_at_hand(settings.grid, scene, report))
        if not releases:
            return None
        found = _measure(settings.grid, releases, scene)
    for line in ("", f"{', '.join(releases)} for {settings.grid.dists}", "", *found.lines()):
        report.line(line)
    return found


def _at_hand(grid: Grid, scene: Scene, report: Report) -> Iterator[str]:
    """The releases that can be built here; their sources are in the cache afterwards."""
    for plan in selection.plans(scene.checkout.root, Selection(version=grid.releases)):
        try:
            make.step(plan, scene.checkout, Silent(), "fetch", offline=False)
            yield plan.recipe.version
        except FetchError as problem:
            report.line(f"NOT MEASURED: mimalloc {plan.recipe.version}: {problem.what}")


def _measure(grid: Grid, releases: Sequence[str], scene: Scene) -> Measured:
    which = {"version": ",".join(releases), "dist": grid.dists, "arch": grid.architectures}
    which["flavor"] = grid.flavors
    words = [word for name, value in which.items() for word in (f"--{name}", value)]
    argv, env = scene.invoke("build", *words)
    log = scene.folder / "log"
    with log.open("wb") as sink:
        began = time.monotonic()
        child = subprocess.Popen(
            argv, cwd=scene.checkout.root, env=process.environment(env), stdout=sink, stderr=sink
        )
        memory = _Memory(child.pid)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        most = memory.stop()
    if child.returncode != 0:
        lines = log.read_text(errors="replace").splitlines()[-process.LAST_LINES :]
        raise CompileError("the grid cannot be measured", detail="\n".join(lines))
    work = scene.checkout.work
    return Measured(
        packages=len(list(scene.checkout.dist.rglob("*.rpm"))),
        cores=make.cores(),
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        memory=most / 1024,
        done=tuple(len(list(work.glob(f"{step}/*/done"))) for step in _STEPS),
    )


class _Memory:
    """Looks at the memory of a process and of all that it has started, until it is stopped."""

    def __init__(self, parent: int) -> None:
        self._parent, self._most = parent, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The most that it was at one time, in KiB: shared pages are counted once."""
        self._ended.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._ended.wait(_BEAT):
            self._most = max(self._most, sum(map(proportional, family(self._parent))))


def family(parent: int) -> set[int]:
    """A process and all that it has started, however deep."""
    parents: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = {parent}
    while more := {child for child, of in parents.items() if of in found} - found:
        found |= more
    return found


def proportional(process_id: int) -> int:
    """The resident size of a process in KiB, shared pages by its share; 0 when it is gone."""
    try:
        text = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
