"""Probes: small C programs of ours, compiled as the package was compiled."""

from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import SmokeError
from pipeline.system import process
from pipeline.system.workspace import Workspace
from pipeline.toolchain import compiler

PROBES = Path(__file__).resolve().parent.parent / "probes"


def build(
    name: str,
    plan: Plan,
    workspace: Workspace,
    folder: Path,
    log: Path,
    parts: tuple[Path, ...] = (),
) -> Path:
    """A probe's program in ``folder``, linked with ``parts`` where there are any.

    Raises SmokeError where it does not compile or link.
    """
    target = folder / "-".join([name, *(part.suffix[1:] for part in parts)])
    argv: list[str | Path] = [*compiler.command(plan), "-std=gnu11", "-O1", "-g0"]
    argv += [*plan.compiler.isa[plan.machine.isa], PROBES / f"{name}.c"]
    argv += [*parts, "-o", target, "-lpthread", "-ldl"]
    process.run(
        argv,
        log=log,
        error=SmokeError,
        what=f"the probe {name} does not compile or link" + "".join(f" with {p}" for p in parts),
        env=compiler.environment(plan, workspace),
    )
    return target
