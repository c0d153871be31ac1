"""Trials of every package: aligned blocks, and linking with the static library and the object."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.smoke import probe
from pipeline.system import process
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import emulator
from pipeline.toolchain.emulator import Start

# Seconds after which a trial has failed; each takes about one.
TIMEOUT = 120.0

# The trials that every package must have passed.
NAMES = ("aligned", "archive", "object")


def run(plan: Plan, dirs: StepDirs) -> tuple[Trial, ...]:
    """Compile the probes as the package was compiled, and run them on its unpacked files."""
    libraries = payload.place(dirs.unpacked, plan.package.libraries)
    objects = payload.place(dirs.unpacked, plan.objects)
    runner, folder, log = emulator.runner(plan), dirs.folder("check"), dirs.log("check")

    def link(name: str, file: Path) -> Trial:
        try:
            program = probe.build("linked", plan, dirs.workspace, folder / name, log, file)
        except SmokeError as error:
            # The package is wrong; it is one finding among others.
            return Trial(name, False, f"{error.what}\n{error.detail}")
        return attempt(name, runner.start([program], {}), libraries)

    # The aligned blocks take longest; meanwhile the other two are linked and run.
    with ThreadPoolExecutor(1) as pool:
        archive = pool.submit(link, "archive", objects / f"lib{plan.base}.a")
        single = pool.submit(link, "object", objects / f"{plan.base}.o")
        program = probe.build("aligned", plan, dirs.workspace, folder / "aligned", log)
        # Relative: the loader splits the variable at spaces and colons, which a path may have.
        variables = {"LD_PRELOAD": f"./{plan.soname}", "MIMALLOC_VERBOSE": "1"}
        command = runner.start([program], variables)
        aligned = attempt("aligned", command, libraries, f"secure level: {plan.flavor.level}")
        return aligned, archive.result(), single.result()


def attempt(name: str, command: Start, folder: Path, message: str = "") -> Trial:
    """Run a program in ``folder``; it passes if it exits with 0 and prints the message."""
    code, output, errors = process.attempt(
        command.argv, cwd=folder, env=command.env, timeout=TIMEOUT
    )
    # The last lines of a probe, the counts, are on its output: they stay last.
    lines = (errors + output).splitlines()
    faults = [f"exit code {code}"] if code else []
    if message and not any(line.endswith(message) for line in lines):
        faults.append(f"it does not print `{message}`")
    return Trial(name, not faults, "\n".join([*lines[-process.LAST_LINES :], *faults]).strip())
