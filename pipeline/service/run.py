"""Run any program on a built library, and report which processes were on it."""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
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


def run(root: Path, selected: Selection, argv: Sequence[str]) -> int:
    """Run a program on the library of one package; its exit code.

    Raises RunError where it ended well, but was not on the library.
    """
    report, plan = Report(), selection.single(root, selected, "a program runs on one library")
    if not argv:
        raise RequestError("no program", hint="invoke run -- PROGRAM ARGUMENT ...")
    path = shutil.which(argv[0])
    if not path:
        raise HostError(f"no program {argv[0]}", hint="a path, or a name on PATH")
    for warning in program.warnings(Path(path)):
        report.aside(f"warning: {warning}")
    with tempfile.TemporaryDirectory(prefix="mimalloc-run-") as scratch:
        library, traces = unpack_library(root, plan, Path(scratch)), Path(scratch, "traces")
        # The program may go on as another user: everybody may read one, and write to the other.
        Path(scratch).chmod(0o755)
        traces.mkdir()
        traces.chmod(0o1777)
        debug = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(traces / "of")}
        code = process.foreground([path, *argv[1:]], {"LD_PRELOAD": str(library), **debug})
        on_library, others = split(preload.loader_output(traces), library)
    report.aside(f"on {plan.recipe.version} ({plan.soname}): {' '.join(on_library) or 'none'}")
    if others:
        report.aside(f"not on it: {' '.join(others)}")
    if not on_library and code == 0:
        raise RunError(
            f"{argv[0]} was not on the library",
            got="other programs only in the loader's output" if others else "no loader output",
            hint="see the warnings above; docs/administrator.md lists what prevents the preload",
        )
    return code


def unpack_library(root: Path, plan: Plan, folder: Path) -> Path:
    """Unpack a package of ``dist/``; the path of the library, to be preloaded on this host."""
    rpm = placement.destination(plan, workspace.locate(root))
    if not rpm.exists():
        hint = "invoke build with the same flags"
        raise RequestError("there is no such package yet", file=rpm, hint=hint)
    if not emulator.runs_here(plan):
        raise RequestError("this host cannot run programs for the package", got=plan.label)
    return payload.place(payload.unpack(rpm, folder), plan.preload)


def split(traces: Iterable[str], library: Path) -> tuple[list[str], list[str]]:
    """The programs that were started with the library, and without it, by the loader's output.

    A process may run several programs: their libraries, their start, those of the next one.
    """
    on_library, others = set[str](), set[str]()
    for trace in traces:
        for loaded, started in pairwise(trace.split("transferring control: ")):
            programs = on_library if f"calling init: {library}\n" in loaded else others
            programs.add(Path(started.splitlines()[0]).name)
    return sorted(on_library), sorted(others)
