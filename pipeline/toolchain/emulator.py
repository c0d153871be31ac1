"""How a program of any machine is started on this host: directly, or by an emulator."""

import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError

# The emulator's own variable: a root with the loader and the C library of the emulated machine.
ROOT_VARIABLE = "QEMU_LD_PREFIX"


def start(
    argv: Sequence[str | Path], variables: Mapping[str, str], runner: Sequence[str] = ()
) -> list[str]:
    """The command that starts a program with variables, which do not reach its emulator."""
    pairs, program = ["=".join(pair) for pair in variables.items()], map(str, argv)
    if not runner:
        return ["env", *pairs, *program]
    return [*runner, *(word for pair in pairs for word in ("-E", pair)), *program]


def runner(plan: Plan) -> tuple[str, ...]:
    """The emulator of a plan's machine, as a command; empty where this host runs the programs.

    It is set to the oldest processor that the package must run on. Raises HostError where it is
    missing.
    """
    if runs_here(plan):
        return ()
    kind = plan.processor
    # For a newer processor of the same kind, the C library is this host's own.
    same_kind = kind.name == platform.machine()
    root = "/" if same_kind else os.environ.get(ROOT_VARIABLE) or kind.sysroot
    program = shutil.which(kind.emulator)
    if not program or not Path(root, "lib").is_dir():
        raise HostError(
            f"programs for {plan.machine.isa} cannot run on this host",
            expected=f"{kind.emulator}, and a C library below {root}",
            got=f"no {root}/lib" if program else f"no {kind.emulator}",
            hint=f"invoke doctor\n{ROOT_VARIABLE}=/a/root/with/its/C/library invoke ...",
        )
    return program, "-L", root, "-cpu", plan.isa.model


def runs_here(plan: Plan) -> bool:
    """Whether this host's processor is of the plan's kind, and new enough."""
    return plan.processor.name == platform.machine() and set(plan.isa.marks) <= _cpu_flags()


@cache
def _cpu_flags() -> frozenset[str]:
    """The features of the processor, by the names that the kernel has for them."""
    text = Path("/proc/cpuinfo").read_text(errors="replace")
    features = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return frozenset(features[1].split() if features else ())
