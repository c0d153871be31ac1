"""A release built in a scratch checkout: patches, manifests, every package, smoke tests."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from packaging.version import Version

from pipeline.artifact import placement
from pipeline.build import make, parallel
from pipeline.build.progress import Progress, failures
from pipeline.bump.scratch import ScratchCheckout
from pipeline.commands import build, manifest, sequential
from pipeline.inspect import payload
from pipeline.model import Plan
from pipeline.model.errors import BumpError, PackagingError, PatchError
from pipeline.smoke import suite, trials
from pipeline.system import process
from pipeline.system.report import QuietReport, Report
from pipeline.system.workspace import StepDirs, place_text
from pipeline.toolchain import emulator


def run_step(plan: Plan, scratch: ScratchCheckout, step: str) -> StepDirs:
    """Run a step and what is missing before it; returns the plan's step directories."""
    began = time.monotonic()
    make.step(plan, scratch.workspace, QuietReport(), step, scratch.options)
    scratch.report.line(f"  {plan.nevra:<50} {step:<8} {time.monotonic() - began:6.1f} s")
    return make.step_dirs(plan, scratch.workspace)


def samples(plans: Iterable[Plan]) -> list[Plan]:
    """A plan for each flavor, of a machine that this host can run, where there is one.

    Of these it has the oldest C library, beside which a program needs most other libraries.
    """
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        groups.setdefault(plan.variant, []).append(plan)
    return [min(group, key=_preference) for group in groups.values()]


def _preference(plan: Plan) -> tuple[bool, Version]:
    return not emulator.runs_here(plan), Version(plan.root.glibc)


def without_patches(scratch: ScratchCheckout) -> dict[str, bool]:
    """Which trials the release passes as upstream tagged it; its recipe must have no patch.

    They are tried once: the same bump is run again after each message, and some hang for seconds.
    """
    plan = samples(scratch.plans())[0]
    dirs = make.step_dirs(plan, scratch.workspace)
    file = dirs.folder("check") / "passed.json"
    if not file.exists():
        run_step(plan, scratch, "package")
        payload.unpack(dirs.packages / plan.file_name, dirs.folder("check"))
        passed = {trial.name: trial.passed for trial in trials.run(plan, dirs)}
        place_text(json.dumps(passed), file)
    return dict(json.loads(file.read_text(encoding="utf-8")))


def apply_patches(scratch: ScratchCheckout) -> None:
    """Apply the patches of the recipe. Raises BumpError where one does not apply."""
    plan = samples(scratch.plans())[0]
    try:
        run_step(plan, scratch, "patch")
    except PatchError as problem:
        raise BumpError(
            f"{problem.what}, and the release still needs it",
            got=problem.got,
            file=problem.file,
            detail=problem.detail,
            hint=f"write it anew, below patches/{scratch.version}/ of the checkout,\n"
            f"then the same command; the tree is in {make.step_dirs(plan, scratch.workspace).tree}",
        ) from problem


def write_manifests(scratch: ScratchCheckout) -> list[Plan]:
    """Build a package of each flavor, and write the manifests; returns their plans."""
    plans = samples(scratch.plans())
    build.many(scratch.workspace, plans, "package", scratch.options, QuietReport())
    for plan in plans:
        packages = make.step_dirs(plan, scratch.workspace).packages
        manifest.write_all(scratch.root, plan, packages)
    return plans


def every_package(scratch: ScratchCheckout) -> None:
    """Build and check every package of the release, and run the smoke tests on each.

    One of each flavor is checked first: what is wrong with the release is mostly wrong with all.
    """
    plans, workspace = scratch.plans(), scratch.workspace
    build.many(workspace, samples(plans), build.BUILD, scratch.options, QuietReport())
    build.many(workspace, plans, build.BUILD, scratch.options, scratch.report)
    scratch.report.line("smoke")

    def smoke(plan: Plan, report: Report) -> Path:
        suite.run(plan, placement.destination(plan, workspace), workspace, QuietReport())
        return suite.log_of(plan, workspace)

    jobs = scratch.options.jobs or process.cores()
    outcomes = parallel.run(plans, smoke, jobs, Progress())
    sequential.check(failures(outcomes), len(outcomes), "good")


def check_logs(scratch: ScratchCheckout) -> list[str]:
    """The logs of the check of every package that has come so far."""
    logs = (make.step_dirs(plan, scratch.workspace).log("check") for plan in scratch.plans())
    return [log.read_text(encoding="utf-8", errors="replace") for log in logs if log.is_file()]


def staged_other(version: str, scratch: ScratchCheckout, source: str) -> Path | None:
    """The library of another release, staged; None, and the reason is printed, where that fails.

    It is taken from ``source``, else from where it is pinned. ``scratch`` is that of the checkout
    itself, where it may have been built before.
    """
    reason = ""
    for location in dict.fromkeys((source, "")):
        try:
            plan = samples(scratch.plans(version, location))[0]
            build.many(scratch.workspace, [plan], "stage", scratch.options, QuietReport())
            return library(plan, scratch)
        except PackagingError as problem:
            reason = problem.what
    scratch.report.line(f"  mimalloc {version} cannot be built for comparison: {reason}")
    return None


def library(plan: Plan, scratch: ScratchCheckout) -> Path:
    """The staged library of a plan."""
    return payload.place(make.step_dirs(plan, scratch.workspace).stage, plan.library)
