"""Changes the checks, one place at a time, and counts the changes that no test of them notices.

Run as ``python -m tests.mutation``, which ends with 1 where there is one. Names and numbers at the
top of a module are not changed, only what stands in functions.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.build.conftest import ROOT

# What the tests of the checks need, and the setting of mutmut.
NEEDED = ("buildroot", "doors", "patches", "pipeline", "recipes", "tests", "tasks.py")
SETTINGS = "pyproject.toml"

# A function that nobody tries: were its changes not found, the count would mean nothing.
CANARY = '''

def canary(number: int) -> int:
    """Nobody tries this."""
    return number + 1
'''

# A change and what became of it, as mutmut tells them.
RESULT = re.compile(r"^ *(\S+): (.+)$", re.MULTILINE)
NOTICED = ("killed", "timeout")


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut says, at work in a copy of the project."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"mutmut {arguments[0]} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def copy(folder: Path) -> None:
    """The project, with something in it that no test tries."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in NEEDED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / SETTINGS, folder)
    with (folder / "pipeline" / "checks" / "evidence.py").open("a") as checks:
        checks.write(CANARY)


def main() -> int:
    """Prints how many changes were noticed, and each one that was not."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy(folder)
        mutmut(folder, "run")
        found = dict(RESULT.findall(mutmut(folder, "results", "--all", "true")))
        canaries = {change for change in found if ".x_canary__" in change}
        unseen = {change for change, outcome in found.items() if outcome not in NOTICED}
        if not canaries or not canaries <= unseen:
            sys.exit(f"a change that no test can notice was not found: {sorted(canaries)}")
        changes = Counter(outcome for change, outcome in found.items() if change not in canaries)
        for change in sorted(unseen - canaries):
            print(f"{change}: {found[change]}\n{mutmut(room, 'show', change)}")
    total, noticed = changes.total(), sum(changes[outcome] for outcome in NOTICED)
    print(f"{noticed} of {total} changes of the checks were noticed: {noticed / total:.1%}")
    return int(noticed < total)


if __name__ == "__main__":
    sys.exit(main())
