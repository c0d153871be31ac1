"""The order of it all: what a step depends on, what is up to date, and the way into ``dist/``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import check, cmake, emulator, fetch, patch, recipes, rpm, toolchain, unpack
from pipeline.checksum import digest, digest_of_files, sha256_of
from pipeline.disk import guarded, suspecting
from pipeline.errors import CheckError, UnpackError, VerifyError
from pipeline.model import Built, Plan
from pipeline.report import Report
from pipeline.workspace import Site, Workspace, locked, place, place_text, remove


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name is the task's, the log's and the error's."""

    name: str
    run: Callable[[Plan, Site, Report], None]


STEPS = (
    Step("fetch", fetch.run),
    Step("unpack", unpack.run),
    Step("patch", patch.run),
    Step("configure", cmake.configure),
    Step("compile", cmake.compile),
    Step("stage", cmake.stage),
    Step("package", rpm.run),
    Step("check", check.run),
)


def keys(plan: Plan, root: Path) -> dict[str, str]:
    """For each step the digest of everything that its result depends on.

    A patched tree depends on its identity and the patches, and no more on where it came from; what
    is compiled depends on floor and flags, and not on the dist's name, so that dists can share it.
    """
    package, recipe, code = plan.package, plan.recipe, _code()
    fetched = digest(code, recipe.source, plan.handed)
    unpacked = digest(fetched, recipe.tree, package.identity)
    patched = digest(code, recipe.tree, [change.sha256 for change in recipe.patch])
    configured = digest(
        patched,
        cmake.options(plan),
        plan.compiler,
        plan.target,
        plan.processor.name,
        # Upstream compiles its build date in, from SOURCE_DATE_EPOCH.
        recipe.released,
        toolchain.versions(plan),
        digest_of_files(toolchain.support(plan, root)),
    )
    staged = digest(configured, package.modes, recipe.library, plan.flavor)
    packaged = digest(staged, replace(plan, handed=None), rpm.version(), _templates(root))
    manifest = recipes.manifest_file(root, plan)
    checked = digest(packaged, digest_of_files([manifest] if manifest.is_file() else []))
    values = (fetched, unpacked, patched, configured, configured, staged, packaged, checked)
    return {step.name: value for step, value in zip(STEPS, values, strict=True)}


def prepare(
    plan: Plan, workspace: Workspace, *, offline: bool = False, threads: int | None = None
) -> Site:
    """The rooms of a plan; its compiler may use so many threads, by default all."""
    return Site(workspace, keys(plan, workspace.root), offline, threads or cores())


def cores() -> int:
    """The processor cores that we may use."""
    return len(os.sched_getaffinity(0))


def advance(plan: Plan, site: Site, report: Report, last: str) -> None:
    """Do what is missing up to the step ``last``, and nothing that a later result makes needless.

    A source that the user hands over is always looked at, up to its identity.
    """
    names = [step.name for step in STEPS]
    end = names.index(last)
    first = end
    while first >= 0 and not site.done(names[first]).exists():
        first -= 1
    for index, step in enumerate(STEPS[: end + 1]):
        wanted = index > first or (plan.handed and step.name in ("fetch", "unpack"))
        if wanted or index == end:
            with _distrust(plan, site):
                _perform(step, plan, site, report)


def build(
    plan: Plan,
    workspace: Workspace,
    report: Report,
    *,
    offline: bool = False,
    threads: int | None = None,
) -> Built:
    """Make a package, or find that it is there: the file in ``dist/`` and what it was made from."""
    with guarded(), locked(workspace.locks, "workspace", shared=True):
        site = prepare(plan, workspace, offline=offline, threads=threads)
        with locked(workspace.locks, plan.nevra, waiting=lambda: _wait(plan.nevra, report)):
            if plan.handed:
                advance(plan, site, report, "unpack")
            found = finished(plan, site)
            if found:
                return found
            # It could not be tried in the end: better said before a minute of compiling.
            emulator.runner(plan)
            # What was handed over has been looked at, and from here on it is just the tree.
            advance(replace(plan, handed=None), site, report, STEPS[-1].name)
            return _publish(plan, site)


def do(
    plan: Plan,
    workspace: Workspace,
    report: Report,
    last: str,
    *,
    offline: bool,
    threads: int | None = None,
) -> Path:
    """Do one step and what is missing before it; the answer is the step's room."""
    with guarded(), locked(workspace.locks, "workspace", shared=True):
        site = prepare(plan, workspace, offline=offline, threads=threads)
        advance(plan, site, report, last)
        return site.room(last)


def finished(plan: Plan, site: Site) -> Built | None:
    """The package in ``dist/``, where it is whole and made of just what the plan asks for."""
    target = destination(plan, site.workspace)
    try:
        record = json.loads(_record_of(target).read_text(encoding="utf-8"))
        same = record["key"] == site.keys["check"] and record["sha256"] == sha256_of(target)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    return Built(plan, target, record["sha256"], target.stat().st_size, fresh=False)


def destination(plan: Plan, workspace: Workspace) -> Path:
    """The final name of a plan's package."""
    return workspace.dist / plan.root.dist / plan.arch / plan.file_name


def clean(workspace: Workspace, report: Report, *, everything: bool = False) -> None:
    """Remove the work folder, and with ``everything`` the finished packages and the cache too."""
    waiting = "waiting for a build to end"
    targets = [workspace.work.parent]
    if everything:
        targets += [workspace.dist, workspace.cache]
    with guarded(), locked(workspace.locks, "workspace", waiting=lambda: report.line(waiting)):
        for target in targets:
            remove(target)
            report.line(f"removed {target}")
        # Nobody holds one of the others: who does, holds this one first.
        for lock in workspace.locks.glob("*.lock"):
            if lock.stem != "workspace":
                lock.unlink()


@contextmanager
def _distrust(plan: Plan, site: Site) -> Iterator[None]:
    """A handed source that was refused is fetched anew: its URL may be right the next time."""
    try:
        yield
    except (UnpackError, VerifyError):
        if plan.handed:
            site.done("fetch").unlink(missing_ok=True)
        raise


def _perform(step: Step, plan: Plan, site: Site, report: Report) -> None:
    """Run a step in an empty room, alone; the stamp that it is done comes last."""
    lock = f"{step.name}-{site.room(step.name).name}"
    with locked(site.workspace.locks, lock, waiting=lambda: _wait(step.name, report)):
        if site.done(step.name).exists():
            report.step(step.name, None)
            return
        remove(site.room(step.name))
        site.room(step.name).mkdir(parents=True)
        began = time.monotonic()
        report.begin(step.name)
        with suspecting(site.room(step.name), site.workspace.cache):
            step.run(plan, site, report)
        place_text("", site.done(step.name))
        report.step(step.name, time.monotonic() - began)


def _wait(name: str, report: Report) -> None:
    report.wait(name, "another run is at it")


def _publish(plan: Plan, site: Site) -> Built:
    """Give the checked package its final name, and put beside it what it was made from."""
    made = site.packages / plan.file_name
    target = destination(plan, site.workspace)
    record = _record(plan, site, made)
    if record["sha256"] != site.checked.read_text():
        raise CheckError(
            f"{made.name} is not the file that was checked", file=made, hint="invoke clean"
        )
    place(made, target)
    place_text(json.dumps(record, indent=2) + "\n", _record_of(target))
    return Built(plan, target, record["sha256"], target.stat().st_size, fresh=True)


def _record_of(target: Path) -> Path:
    return target.with_suffix(".json")


def _record(plan: Plan, site: Site, made: Path) -> dict[str, Any]:
    recipe, root = plan.recipe, plan.root
    return {
        "package": made.name,
        "sha256": sha256_of(made),
        "size": made.stat().st_size,
        "source": {
            "version": recipe.version,
            "released": recipe.released.isoformat(),
            "tree": recipe.tree,
            **json.loads(site.origin.read_text(encoding="utf-8")),
        },
        "patches": [asdict(change) for change in recipe.patch],
        "options": cmake.options(plan),
        "toolchain": {
            "name": plan.compiler.name,
            "target": plan.target,
            "versions": {**toolchain.versions(plan), "rpmbuild": rpm.version()},
        },
        "build root": {"dist": root.dist, "glibc": root.glibc, "isa": plan.machine.isa},
        "flavor": plan.variant,
        "key": site.keys["check"],
    }


@cache
def _code() -> str:
    """The digest of this package: what an older version of it has built is built anew."""
    here = Path(__file__).parent
    return digest_of_files(file for file in here.rglob("*") if file.suffix in (".py", ".c"))


@cache
def _templates(root: Path) -> str:
    return digest_of_files([root / rpm.SPEC, *(root / rpm.ATTRIBUTES).glob("*.attr")])
