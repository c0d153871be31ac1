"""The one door to other programs, and what becomes of those that are started."""

from pipeline.process.child import tie
from pipeline.process.door import LAST_LINES, attempt, environment, read, run, running
from pipeline.process.foreground import foreground

__all__ = ["LAST_LINES", "attempt", "environment", "foreground", "read", "run", "running", "tie"]
