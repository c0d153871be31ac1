"""How a program of any machine is started on this host: directly, or by an emulator."""

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError

# The emulator's own variable: a root with the loader and the C library of the emulated machine.
ROOT_VARIABLE = "QEMU_LD_PREFIX"


@dataclass(frozen=True, slots=True)
class Start:
    """A command, and the variables that it needs in its environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Runner:
    """The emulator of one machine; its command is empty where this host runs the programs."""

    command: tuple[str, ...] = ()

    def start(self, argv: Sequence[str | Path], env: Mapping[str, str]) -> Start:
        """The command for a program; its variables do not reach its emulator."""
        program = tuple(map(str, argv))
        if not self.command:
            return Start(program, env)
        variables = (word for pair in env.items() for word in ("-E", "=".join(pair)))
        return Start((*self.command, *variables, *program), {})


# This host itself.
HERE = Runner()


def runner(plan: Plan) -> Runner:
    """What runs the programs of a plan's machine. Raises HostError where this host has nothing.

    An emulator is set to the oldest processor that the package must run on.
    """
    if runs_here(plan):
        return HERE
    emulator = plan.processor.emulator
    # For a newer processor of the same kind, the C library is this host's own.
    same_kind = plan.processor.name == platform.machine()
    root = "/" if same_kind else os.environ.get(ROOT_VARIABLE) or emulator.root
    program = shutil.which(emulator.program)
    if not program or not Path(root, "lib").is_dir():
        raise HostError(
            f"programs for {plan.machine.isa} cannot run on this host",
            expected=f"{emulator.program}, and a C library below {root}",
            got=f"no {root}/lib" if program else f"no {emulator.program}",
            hint=f"invoke doctor\n{ROOT_VARIABLE}=/a/root/with/its/C/library invoke ...",
        )
    return Runner((program, "-L", root, "-cpu", plan.isa.model))


def runs_here(plan: Plan) -> bool:
    """Whether this host's processor is of the plan's kind, and new enough."""
    return plan.processor.name == platform.machine() and set(plan.isa.marks) <= _cpu_flags()


@cache
def _cpu_flags() -> frozenset[str]:
    """The features of the processor, by the names that the kernel has for them."""
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return frozenset()
