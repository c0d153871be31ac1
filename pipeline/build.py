"""The order of it all: what a step depends on, what is up to date, and the way into ``dist/``."""

from __future__ import annotations

import importlib
import os
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from pipeline import (
    check,
    cmake,
    emulator,
    fetch,
    patch,
    recipes,
    record,
    rpm,
    rpmbuild,
    spec,
    srpm,
    toolchain,
    unpack,
)
from pipeline.checksum import digest, digest_of_files
from pipeline.disk import guarded, suspecting
from pipeline.errors import UnpackError, VerifyError
from pipeline.locks import in_use, locked
from pipeline.model import Built, Plan
from pipeline.report import Report
from pipeline.workspace import Site, Workspace, place_text, remove


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

# Not on the way to a package: what a source package holds is there once it is unpacked.
SOURCE = Step("srpm", srpm.run)


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
    wrapped = (replace(plan, handed=None), rpmbuild.version(), _templates(root))
    packaged = digest(staged, *wrapped)
    manifests = (recipes.manifest_file(root, plan), recipes.switch_manifest_file(root, plan))
    listed = digest_of_files(file for file in manifests if file and file.is_file())
    checked = digest(packaged, listed)
    values = (fetched, unpacked, patched, configured, configured, staged, packaged, checked)
    names = (step.name for step in STEPS)
    return {
        **dict(zip(names, values, strict=True)),
        # One for all machines of a dist: by another key the same, signed file would be made anew.
        SOURCE.name: digest(
            *(unpacked, package, recipe, plan.root, plan.variant),
            *(rpmbuild.version(), _templates(root), listed),
        ),
    }


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
    with guarded(), in_use(workspace):
        site = prepare(plan, workspace, offline=offline, threads=threads)
        with locked(workspace.locks, plan.nevra, waiting=lambda: _wait(plan.nevra, report)):
            if plan.handed:
                advance(plan, site, report, "unpack")
            if found := record.settled(plan, site):
                return found
            # It could not be tried in the end: better said before a minute of compiling.
            emulator.runner(plan)
            # Filled in by Python without a lock: ninja's module, asking meanwhile, got half of it.
            sysconfig.get_config_vars()
            threading.Thread(target=load, daemon=True).start()
            # What was handed over has been looked at, and from here on it is just the tree.
            advance(replace(plan, handed=None), site, report, STEPS[-1].name)
            return record.publish(plan, site)


def load() -> None:
    """Import what the later steps need, while the compiler runs or before workers are forked."""
    for module in (
        "jinja2",
        "pipeline.checks",
        "pipeline.facts",
        "pipeline.sbom",
        "pipeline.smoke.trials",
    ):
        importlib.import_module(module)


def source(plan: Plan, workspace: Workspace, report: Report, *, offline: bool = False) -> Path:
    """Make a source package, and give it its final name."""
    with guarded(), in_use(workspace):
        site = prepare(plan, workspace, offline=offline)
        advance(plan, site, report, "unpack")
        _perform(SOURCE, plan, site, report)
        return record.publish_source(plan, site)


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
    with guarded(), in_use(workspace):
        site = prepare(plan, workspace, offline=offline, threads=threads)
        advance(plan, site, report, last)
        return site.room(last)


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
    waiting = partial(_wait, step.name, report)
    with locked(site.workspace.locks, lock, inherited=True, waiting=waiting):
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


@cache
def _code() -> str:
    """The digest of this package: what an older version of it has built is built anew."""
    here = Path(__file__).parent
    return digest_of_files(file for file in here.rglob("*") if file.suffix in (".py", ".c"))


@cache
def _templates(root: Path) -> str:
    templates = (root / spec.SPEC, root / spec.DROPIN)
    return digest_of_files([*templates, *(root / rpmbuild.ATTRIBUTES).glob("*.attr")])
