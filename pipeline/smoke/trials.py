"""Probes, small C programs, compiled as a package was compiled, and tried on its files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.system import process
from pipeline.system.workspace import StepDirs, Workspace
from pipeline.toolchain import compiler, emulator

PROBES = Path(__file__).with_name("probes")

# Seconds after which a trial has failed; each takes about one.
TIMEOUT = 120.0

# The trials that every package must have passed.
NAMES = ("aligned", "archive", "object")


def run(plan: Plan, dirs: StepDirs) -> tuple[Trial, ...]:
    """Try aligned blocks on the unpacked library, and link with the archive and the object."""
    libraries = payload.place(dirs.unpacked, plan.package.libraries)
    objects = payload.place(dirs.unpacked, plan.objects)
    runner, folder, log = emulator.runner(plan), dirs.folder("check"), dirs.log("check")

    def link(name: str, file: Path) -> Trial:
        try:
            program = compiled("linked", plan, dirs.workspace, folder / name, log, file)
        except SmokeError as error:
            # The package is wrong; it is one finding among others.
            return Trial(name, False, f"{error.what}\n{error.detail}")
        return attempt(name, emulator.start([program], {}, runner), libraries)

    # The aligned blocks take longest; meanwhile the other two are linked and run.
    with ThreadPoolExecutor(1) as pool:
        files = (objects / f"lib{plan.base}.a", objects / f"{plan.base}.o")
        others = pool.map(link, ("archive", "object"), files)
        program = compiled("aligned", plan, dirs.workspace, folder / "aligned", log)
        # Relative: the loader splits the variable at spaces and colons, which a path may have.
        variables = {"LD_PRELOAD": f"./{plan.soname}", "MIMALLOC_VERBOSE": "1"}
        command = emulator.start([program], variables, runner)
        aligned = attempt("aligned", command, libraries, f"secure level: {plan.flavor.level}")
        return aligned, *others


def compiled(
    name: str, plan: Plan, workspace: Workspace, target: Path, log: Path, linked: Path | None = None
) -> Path:
    """Compile a probe, linked with a file of the package where one is named; the answer is target.

    Raises SmokeError where it does not compile or link.
    """
    source, files = PROBES / f"{name}.c", [linked] if linked else []
    flags = ("-std=gnu11", "-O1", "-g0", *plan.compiler.isa[plan.machine.isa])
    process.run(
        [*compiler.command(plan), *flags, source, *files, "-o", target, "-lpthread", "-ldl"],
        log=log,
        error=SmokeError(f"the probe {name} does not compile or link"),
        env=compiler.environment(plan, workspace),
    )
    return target


def attempt(name: str, command: list[str], folder: Path, message: str = "") -> Trial:
    """Run a program in ``folder``; it passes if it exits with 0 and prints the message."""
    code, output, errors = process.attempt(command, cwd=folder, timeout=TIMEOUT)
    # The last lines of a probe, the counts, are on its output: they stay last.
    printed = errors + output
    faults = [f"exit code {code}"] if code else []
    if message and not any(line.endswith(message) for line in printed.splitlines()):
        faults.append(f"it does not print `{message}`")
    return Trial(name, not faults, "\n".join([process.last_lines(printed), *faults]).strip())
