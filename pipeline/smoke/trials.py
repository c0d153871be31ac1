"""Trials that every package must stand: aligned blocks, and linking with what it carries."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.smoke import probe
from pipeline.system import process
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import emulator
from pipeline.toolchain.emulator import HERE, Runner

# Seconds after which a trial has failed; each takes about one.
PATIENCE = 120.0

# The trials that every package must have stood.
NAMES = ("aligned", "archive", "object")


def run(plan: Plan, dirs: StepDirs) -> tuple[Trial, ...]:
    """Compile the probes as the package was compiled, and run them on its unpacked files."""
    below = payload.place(dirs.unpacked, plan.package.libraries)
    objects = payload.place(dirs.unpacked, plan.objects)
    archive, single = objects / f"lib{plan.base}.a", objects / f"{plan.base}.o"
    # Relative: the loader splits the variable at spaces and colons, which a path may have.
    preload = {"LD_PRELOAD": f"./{plan.soname}", "MIMALLOC_VERBOSE": "1"}
    level = f"secure level: {plan.flavor.level}"
    runner = emulator.runner(plan)
    folder, log = dirs.folder("check"), dirs.log("check")

    def build(name: str, *linked: Path) -> Path:
        return probe.build(name, plan, dirs.workspace, folder, log, linked)

    def link(name: str, part: Path) -> Trial:
        try:
            return attempt(name, build("linked", part), below, runner=runner)
        except SmokeError as problem:
            # The package's fault, and one finding among others.
            return Trial(name, False, f"{problem.what}\n{problem.detail}")

    # The first takes longest; meanwhile the others are linked and run.
    with ThreadPoolExecutor(1) as pool:
        linked = pool.submit(lambda: (link("archive", archive), link("object", single)))
        aligned = attempt("aligned", build("aligned"), below, preload, runner, says=level)
        return (aligned, *linked.result())


def attempt(
    name: str,
    program: Path,
    folder: Path,
    env: Mapping[str, str] | None = None,
    runner: Runner = HERE,
    says: str = "",
) -> Trial:
    """Run a program once, in ``folder``; it has passed if it exits with 0, and ``says`` this."""
    begin = runner.start([program], env or {})
    code, output, complaint = process.attempt(
        begin.argv, cwd=folder, env=begin.env, timeout=PATIENCE
    )
    # A probe's last words, the counts, are on its output: they stay last.
    lines = (complaint + output).splitlines()
    said = "\n".join(lines[-process.LAST_LINES :])
    faults = [f"exit code {code}"] if code else []
    if says and not any(line.endswith(says) for line in lines):
        faults.append(f"it does not say `{says}`")
    return Trial(name, not faults, "\n".join([said, *faults]).strip())
