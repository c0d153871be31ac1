"""No test is left out unseen: pytest collects every file of unit tests."""

import subprocess
import sys
from pathlib import Path


def test_every_file_of_tests_is_collected(project: Path) -> None:
    """Also in folders whose names pytest leaves out by default, such as build."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "tests/unit"]
    output = subprocess.run(argv, cwd=project, check=True, capture_output=True, text=True).stdout
    collected = {line.rpartition(": ")[0] for line in output.splitlines() if ": " in line}
    files = (project / "tests" / "unit").rglob("test_*.py")

    assert {str(file.relative_to(project)) for file in files} == collected
