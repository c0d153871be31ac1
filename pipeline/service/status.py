"""Whether processes run on mimalloc now, as the tool of administrators says it."""

from pathlib import Path

from pipeline.system import process
from pipeline.toolchain.spec import TOOL


def run(root: Path, pid: int, name: str, json: bool) -> int:
    """Print the listing of the process ``pid`` and its descendants, or of those with ``name``.

    Without both, of nginx and of all that have the library mapped. The answer is the tool's exit
    code: 41 where not all run on the library that is on disk.
    """
    options = ["--json"] if json else []
    options += [str(pid)] if pid else ["--name", name] if name else []
    return process.foreground(["sh", root / TOOL, "status", *options], {})
