"""How a program of any machine is started on this host: as it is, or by an emulator."""

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import HostError

# Names another root with the loader and the C library of the emulated machine; the emulator's own.
ROOT_VARIABLE = "QEMU_LD_PREFIX"


@dataclass(frozen=True, slots=True)
class Start:
    """A command, and the variables that it needs in its environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Runner:
    """What programs of one machine are started by; an empty command where this host runs them."""

    command: tuple[str, ...] = ()

    def start(self, argv: Sequence[str | Path], env: Mapping[str, str]) -> Start:
        """A program with variables that are meant for it, and never for its emulator."""
        words = tuple(str(word) for word in argv)
        if not self.command:
            return Start(words, env)
        settings = (word for pair in env.items() for word in ("-E", "=".join(pair)))
        return Start((*self.command, *settings, *words), {})


# This host itself.
HERE = Runner()


def runner(plan: Plan) -> Runner:
    """What runs the programs of a plan's machine. Raises HostError where nothing on this host does.

    An emulator is set to the oldest processor that the package must run on.
    """
    if runs_here(plan):
        return HERE
    emulator, isa = plan.processor.emulator, plan.isa
    # A newer processor of this host's own kind finds its C library here.
    own = plan.processor.name == platform.machine()
    root = "/" if own else os.environ.get(ROOT_VARIABLE) or emulator.root
    program = shutil.which(emulator.program)
    if not program or not Path(root, "lib").is_dir():
        raise HostError(
            f"what is made for {plan.machine.isa} cannot be tried on this machine",
            expected=f"{emulator.program}, and a C library below {root}",
            got=f"no {emulator.program}" if not program else f"no {root}/lib",
            hint=f"invoke doctor\n{ROOT_VARIABLE}=/a/root/with/its/C/library invoke ...",
        )
    return Runner((program, "-L", root, "-cpu", isa.model))


def runs_here(plan: Plan) -> bool:
    """Whether this host's processor is of the plan's kind, and new enough."""
    return plan.processor.name == platform.machine() and set(plan.isa.marks) <= _marks()


@cache
def _marks() -> frozenset[str]:
    """What the kernel says that the processor has."""
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return frozenset()
