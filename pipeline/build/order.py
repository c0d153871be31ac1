"""The steps in their order, and which step takes the result of which."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Plan
from pipeline.steps import (
    check,
    compile,
    configure,
    debuginfo,
    fetch,
    package,
    patch,
    srpm,
    stage,
    unpack,
)
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs


@dataclass(frozen=True, slots=True)
class Step:
    """One step; its name is that of its module, its task, its log and its error.

    ``inputs`` gives what the result depends on, for a plan and the root of the checkout, and
    ``run`` makes it. ``after`` is the step whose result it depends on as a whole, if there is one.
    ``reads`` are the steps whose results it reads: they must be what those steps have left. A step
    that is ``within`` the folder of another adds its result to the other's.
    """

    name: str
    inputs: Callable[[Plan, Path], object]
    run: Callable[[Plan, StepDirs, Report], None]
    after: str = ""
    reads: tuple[str, ...] = ()
    within: str = ""


STEPS = (
    Step("fetch", fetch.inputs, fetch.run),
    Step("unpack", unpack.inputs, unpack.run, after="fetch", reads=("fetch",)),
    # A patched tree depends on its identity and the patches, and not on where it came from.
    Step("patch", patch.inputs, patch.run, reads=("fetch", "unpack")),
    Step("configure", configure.inputs, configure.run, after="patch", reads=("patch",)),
    Step(
        *("compile", compile.inputs, compile.run, "configure"),
        reads=("patch",),
        within="configure",
    ),
    Step("stage", stage.inputs, stage.run, after="compile", reads=("patch", "compile")),
    Step("package", package.inputs, package.run, after="stage", reads=("stage",)),
    Step("check", check.inputs, check.run, after="package", reads=("patch", "package")),
)

# Not one of the steps to a package, but of one about a package that has passed its checks.
DEBUGINFO = Step(
    "debuginfo", debuginfo.inputs, debuginfo.run, after="check", reads=("patch", "check")
)

# Neither is this: a source package is made of the unpacked tree.
SRPM = Step("srpm", srpm.inputs, srpm.run, after="unpack", reads=("fetch", "unpack"))
