"""Probes: small C programs of this project, compiled as the package was compiled."""

from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import SmokeError
from pipeline.system import process
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

PROBES = Path(__file__).with_name("probes")


def build(
    name: str, plan: Plan, workspace: Workspace, target: Path, log: Path, linked: Path | None = None
) -> Path:
    """Compile a probe, linked with a file of the package where one is named; the answer is target.

    Raises SmokeError where it does not compile or link.
    """
    argv: list[str | Path] = [*compiler.command(plan), "-std=gnu11", "-O1", "-g0"]
    argv += [*plan.compiler.isa[plan.machine.isa], PROBES / f"{name}.c"]
    argv += [*([linked] if linked else []), "-o", target, "-lpthread", "-ldl"]
    process.run(
        argv,
        log=log,
        error=SmokeError(
            f"the probe {name} does not compile or link" + (f" with {linked}" if linked else "")
        ),
        env=compiler.environment(plan, workspace),
    )
    return target
