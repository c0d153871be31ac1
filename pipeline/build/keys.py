"""The key of each step: a digest of everything that its result depends on."""

from pathlib import Path

from pipeline.artifact import placement
from pipeline.build import code
from pipeline.build.order import SRPM, STEPS
from pipeline.model import Plan
from pipeline.system.checksum import digest


def of(plan: Plan, root: Path) -> dict[str, str]:
    """The keys by step name, 64 hex digits each, and those of the two kinds of artifact.

    A key is made of the key of the step before, the step's inputs, and the code that the step
    runs. ``root`` is the checkout. Where the key is the same, the result is up to date.
    """
    keys: dict[str, str] = {}
    for step in (*STEPS, SRPM):
        before = keys[step.after] if step.after else ""
        keys[step.name] = digest(
            before, code.digest_of(step.run.__module__), step.inputs(plan, root)
        )
    for artifact, step in ((placement.PACKAGE, STEPS[-1]), (placement.SOURCE_PACKAGE, SRPM)):
        keys[artifact] = digest(keys[step.name], code.digest_of(placement.__name__))
    return keys
