"""The compile step: ninja runs the compiler and the linker."""

from pathlib import Path

from pipeline.model import Plan
from pipeline.model.errors import CompileError
from pipeline.system import process
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import compiler


def inputs(plan: Plan, root: Path) -> object:
    """Nothing but the configured build folder."""
    return ()


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Compile and link in the build folder. Raises CompileError with the compiler's errors."""
    threads = dirs.options.threads or process.cores()
    process.run(
        [compiler.program("ninja"), "-C", dirs.build, f"-j{threads}", "all"],
        log=dirs.log("compile"),
        error=CompileError(
            f"mimalloc {plan.recipe.version} does not compile",
            hint="read the log; if a patch or an option of ours causes it, correct that",
        ),
        env=compiler.environment(plan, dirs.workspace),
    )
