"""Other programs: how they are started, and what becomes of them."""

from pipeline.system.process.child import cores, tie
from pipeline.system.process.execute import LAST_LINES, attempt, environment, read, run, running
from pipeline.system.process.foreground import foreground

__all__ = [
    "LAST_LINES",
    "attempt",
    "cores",
    "environment",
    "foreground",
    "read",
    "run",
    "running",
    "tie",
]
