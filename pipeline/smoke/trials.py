"""Trials that every package must stand: aligned blocks, and linking with what it carries."""

from __future__ import annotations

from pathlib import Path

from pipeline import process, toolchain
from pipeline.errors import SmokeError
from pipeline.model import Plan, Trial
from pipeline.workspace import Site

PROBES = Path(__file__).resolve().parent.parent / "probes"

# Seconds after which a trial has failed; each takes about one.
PATIENCE = 120.0

# The trials that every package must have stood.
NAMES = ("aligned", "archive", "object")


def run(plan: Plan, site: Site) -> tuple[Trial, ...]:
    """Compile the probes as the package was compiled, and run them on its unpacked files."""
    below = site.unpacked / plan.package.libraries.relative_to("/")
    folder = f"mimalloc-{'.'.join(plan.recipe.version.split('.')[:2])}"
    parts = {name: below / folder / name for name in ("libmimalloc.a", "mimalloc.o")}
    preload = {"LD_PRELOAD": str(below / plan.recipe.soname)}
    aligned = build("aligned", plan, site)
    return (
        attempt("aligned", [aligned], preload),
        attempt("archive", [build("linked", plan, site, parts["libmimalloc.a"])], {}),
        attempt("object", [build("linked", plan, site, parts["mimalloc.o"])], {}),
    )


def build(probe: str, plan: Plan, site: Site, *parts: Path) -> Path:
    """A probe's program, linked with ``parts`` where there are any. Raises SmokeError."""
    target = site.room("check") / "-".join([probe, *(part.suffix[1:] for part in parts)])
    argv = [
        *(*toolchain.command(plan), "-std=gnu11", "-O1", "-g0"),
        *(*plan.compiler.isa[plan.machine.isa], PROBES / f"{probe}.c"),
        *(*parts, "-o", target, "-lpthread", "-ldl"),
    ]
    process.run(
        argv,
        log=site.log("check"),
        error=SmokeError,
        what=f"the probe {probe} does not compile or link" + "".join(f" with {p}" for p in parts),
        env=toolchain.environment(plan, site.workspace),
    )
    return target


def attempt(name: str, argv: list[Path], env: dict[str, str]) -> Trial:
    """Run a program once; it has passed if it exits with 0."""
    code, output, complaint = process.attempt(argv, env=env, timeout=PATIENCE)
    said = "\n".join((output + complaint).splitlines()[-process.LAST_LINES :])
    return Trial(name, code == 0, said if code == 0 else f"{said}\nexit code {code}".strip())
