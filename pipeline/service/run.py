"""Any program on a built library: what speaks against it, and whether it was in use."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import selection
from pipeline.build.selection import Selection
from pipeline.inspect import payload
from pipeline.model import Plan
from pipeline.model.errors import HostError, RequestError, RunError
from pipeline.service import program
from pipeline.smoke import preload
from pipeline.system import process, workspace
from pipeline.system.report import Report
from pipeline.toolchain import emulator

# What the loader says of a library and of a program, in this order.
_INITIALISED = "calling init: "
_STARTED = "transferring control: "


def run(root: Path, chosen: Selection, words: Sequence[str]) -> int:
    """Run a program on the library of one package; its exit code.

    Raises RunError where it ended well, but was not on the library.
    """
    report, plan = Report(), selection.one(root, chosen, "a program runs on one library")
    if not words:
        raise RequestError("no program", hint="invoke run -- PROGRAM ARGUMENT ...")
    found = shutil.which(words[0])
    if not found:
        raise HostError(f"no program {words[0]}", hint="a path, or a name on PATH")
    for warning in program.warnings(Path(found)):
        report.aside(f"warning: {warning}")
    with library(root, plan) as file, _room("traces") as told:
        # A program may go on as another user, and tell of that, too.
        told.chmod(0o1777)
        code = process.foreground(
            [found, *words[1:]],
            {"LD_PRELOAD": str(file), "LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(told / "of")},
        )
        on, others = split("".join(preload.loader_output(told).values()), file)
    report.aside(f"on {plan.recipe.version} ({plan.soname}): {' '.join(on) or 'none'}")
    if others:
        report.aside(f"not on it: {' '.join(others)}")
    if not on and code == 0:
        raise RunError(
            f"{words[0]} was not on the library",
            got="the loader tells of no process that has it" if others else "no word of a loader",
            hint="the warnings above, or docs/nginx.md, tell what can keep a library out",
        )
    return code


@contextmanager
def library(root: Path, plan: Plan) -> Iterator[Path]:
    """The library of a package in ``dist/``, to be preloaded on this host."""
    place = workspace.locate(root)
    rpm = placement.destination(plan, place)
    if not rpm.exists():
        hint = f"invoke build --version {plan.recipe.version} --dist {plan.root.dist}"
        raise RequestError("there is no such package yet", file=rpm, hint=hint)
    if not emulator.runs_here(plan):
        raise RequestError("this host does not run what the package is for", got=plan.label)
    with _room("library") as folder:
        folder.chmod(0o755)
        yield payload.place(payload.unpack(rpm, folder), plan.preload)


@contextmanager
def _room(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"mimalloc-{name}-") as folder:
        yield Path(folder)


def split(told: str, file: Path) -> tuple[list[str], list[str]]:
    """The programs that the loader has told of: with the library, and without it."""
    on, others, has_it = set[str](), set[str](), False
    for line in told.splitlines():
        has_it = has_it or line.endswith(f"{_INITIALISED}{file}")
        _, begins, program = line.partition(_STARTED)
        if begins:
            (on if has_it else others).add(Path(program).name)
            has_it = False
    return sorted(on), sorted(others)
