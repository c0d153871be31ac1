"""Mutate the checks with mutmut, and count the mutants that no test of them detects.

Run as ``python -m tests.mutation``; the exit code is 1 if there is one. Only functions are mutated,
not the constants of a module.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.build.conftest import ROOT

# What the tests of the checks need, and the file with the settings of mutmut.
NEEDED = ("buildroot", "cli", "patches", "pipeline", "recipes", "tests", "tasks.py")
SETTINGS = "pyproject.toml"

# A function without a test: if its mutants are not reported, the count is meaningless.
CANARY = '''

def canary(number: int) -> int:
    """No test calls this."""
    return number + 1
'''

# A mutant and its outcome, in the output of mutmut.
RESULT = re.compile(r"^ *(\S+): (.+)$", re.MULTILINE)
DETECTED = ("killed", "timeout")


def mutmut(folder: Path, *arguments: str) -> str:
    """The output of mutmut in a copy of the project."""
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
    """Copy the project, and add the function without a test."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in NEEDED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / SETTINGS, folder)
    with (folder / "pipeline" / "checks" / "package.py").open("a") as checks:
        checks.write(CANARY)


def main() -> int:
    """Print the number of detected mutants, and every one that is not."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy(folder)
        mutmut(folder, "run")
        outcomes = dict(RESULT.findall(mutmut(folder, "results", "--all", "true")))
        canaries = {mutant for mutant in outcomes if ".x_canary__" in mutant}
        survivors = {mutant for mutant, outcome in outcomes.items() if outcome not in DETECTED}
        if not canaries or not canaries <= survivors:
            sys.exit(f"a mutant that no test can detect was not reported: {sorted(canaries)}")
        for mutant in sorted(survivors - canaries):
            print(f"{mutant}: {outcomes[mutant]}\n{mutmut(folder, 'show', mutant)}")
    total = len(outcomes) - len(canaries)
    detected = len(outcomes) - len(survivors)
    print(f"{detected} of {total} mutants of the checks were detected: {detected / total:.1%}")
    return int(detected < total)


if __name__ == "__main__":
    sys.exit(main())
