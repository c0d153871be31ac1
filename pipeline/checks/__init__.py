"""What is wrong: facts held against recipe, build root and manifest, by pure functions."""

from pipeline.checks.verdict import CHECKS, judge

__all__ = ["CHECKS", "judge"]
