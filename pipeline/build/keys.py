"""The key of each step: a digest of everything that its result depends on, its code included."""

import re
from functools import cache
from pathlib import Path

from pipeline.artifact import placement
from pipeline.build.order import DEBUGINFO, SRPM, STEPS, Step
from pipeline.model import Plan
from pipeline.system.checksum import digest, sha256_of

ROOT = Path(__file__).resolve().parents[2]

# `from a.b import c, d`, anywhere in a file, also inside functions. Python's own parser finds the
# same, as a unit test holds, and takes twenty times as long.
_IMPORT = re.compile(r"^ *from (pipeline[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)


def of(plan: Plan, root: Path, last: str = "") -> dict[str, str]:
    """The keys by step name, 64 hex digits each, and those of the kinds of artifact.

    A key is made of the key of the step before, the step's inputs, and the code that the step
    runs. ``root`` is the checkout. Where the key is the same, the result is up to date. With
    ``last``, only what that step needs: for source packages no compiler need be there.
    """
    keys: dict[str, str] = {}
    steps: tuple[Step, ...] = (*STEPS, DEBUGINFO, SRPM)
    if last == SRPM.name:
        steps = (*(step for step in STEPS if step.name in ("fetch", SRPM.after)), SRPM)
    elif last in {step.name for step in STEPS}:
        steps = STEPS
    for step in steps:
        before = keys[step.after] if step.after else ""
        keys[step.name] = digest(before, code_of(step.run.__module__), step.inputs(plan, root))
    final = (STEPS[-1], DEBUGINFO, SRPM)
    for artifact, step in zip(placement.ARTIFACTS, final, strict=True):
        if step in steps:
            keys[artifact] = digest(keys[step.name], code_of(placement.__name__))
    return keys


@cache
def code_of(module: str) -> str:
    """One digest of all the code that a module runs: its own, and that of what it imports."""
    return digest(sorted(_read(file)[0] for file in files_of(module)))


def files_of(module: str) -> frozenset[Path]:
    """The files of a module and of all that it imports, at its top or inside functions."""
    files = list(_files_named(module))
    for file in files:
        files += _read(file)[1].difference(files)
    return frozenset(files)


@cache
def _read(file: Path) -> tuple[str, frozenset[Path]]:
    """The checksum of a file, and the files that it imports."""
    names = set()
    for module, members in _IMPORT.findall(file.read_text(encoding="utf-8")):
        names |= {module, *(f"{module}.{name}" for name in re.findall(r"\w+", members))}
    return sha256_of(file), frozenset().union(*map(_files_named, names))


@cache
def _files_named(name: str) -> frozenset[Path]:
    """The files of a module and of its packages; of a name inside a module, those of packages."""
    path = Path(*name.split("."))
    files = [path.with_suffix(".py"), *(folder / "__init__.py" for folder in (path, *path.parents))]
    return frozenset(ROOT / file for file in files if (ROOT / file).is_file())
