"""Probes: compile one as a package was compiled, and the verdict of a program that has ended."""

from pathlib import Path

from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.system import process
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

PROBES = Path(__file__).with_name("probes")

# Seconds after which a trial has failed; each takes about one.
TIMEOUT = 120.0


def compiled(
    name: str, plan: Plan, workspace: Workspace, target: Path, log: Path, *arguments: str | Path
) -> Path:
    """Compile a probe, with further files and options of the compiler; the answer is target.

    Raises SmokeError where it does not compile or link.
    """
    flags = ("-std=gnu11", "-O1", "-g0", *plan.compiler.isa[plan.machine.isa])
    source = PROBES / f"{name}.c"
    process.run(
        [*compiler.command(plan), *flags, source, *arguments, "-o", target, "-lpthread", "-ldl"],
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
