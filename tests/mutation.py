"""Mutate the checks with mutmut, and count the mutants that no test of them detects.

Run as ``python -m tests.mutation``; the exit code is 1 if there is one. Only functions are mutated,
not the constants of a module. Without ``--full`` a quarter of the mutants is tried, by the last
digit of their numbers: another quarter for each content of the checks and their tests.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.system.checksum import digest_of_files
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
DETECTED, UNTRIED = ("killed", "timeout"), "not checked"

# Which last digits are tried together.
SAMPLES = ("048", "159", "26", "37")


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


def sample() -> list[str]:
    """The patterns of the mutants to try, and of the function without a test."""
    folders = (ROOT / "pipeline" / "checks", ROOT / "tests" / "unit" / "checks")
    content = digest_of_files(file for folder in folders for file in sorted(folder.glob("*.py")))
    digits = SAMPLES[int(content, 16) % len(SAMPLES)]
    return [f"*__mutmut_*[{digits}]", "*.x_canary__*"]


def main() -> int:
    """Print the number of detected mutants, and every one that is not."""
    patterns = [] if "--full" in sys.argv[1:] else sample()
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy(folder)
        mutmut(folder, "run", *patterns)
        results = RESULT.findall(mutmut(folder, "results", "--all", "true"))
        outcomes = {name: outcome for name, outcome in results if outcome != UNTRIED}
        canaries = {mutant for mutant in outcomes if ".x_canary__" in mutant}
        survivors = {mutant for mutant, outcome in outcomes.items() if outcome not in DETECTED}
        if not canaries or not canaries <= survivors:
            sys.exit(f"a mutant that no test can detect was not reported: {sorted(canaries)}")
        for mutant in sorted(survivors - canaries):
            print(f"{mutant}: {outcomes[mutant]}\n{mutmut(folder, 'show', mutant)}")
    total = len(outcomes) - len(canaries)
    detected = len(outcomes) - len(survivors)
    print(f"{detected} of {total} mutants of the checks were detected: {detected / total:.1%}")
    if not_tried := len(results) - len(outcomes):
        print(f"not tried: {not_tried} (nox -s mutation -- --full)")
    return int(detected < total)


if __name__ == "__main__":
    sys.exit(main())
