"""What is wrong: facts held against recipe, build root and manifest, by pure functions."""

from pipeline.checks.subpackage import judge as judge_subpackage
from pipeline.checks.verdict import CHECKS, judge

__all__ = ["CHECKS", "judge", "judge_subpackage"]
