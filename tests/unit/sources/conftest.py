"""Where a source goes, and what is logged of it."""

from pathlib import Path

import pytest


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Where the archive goes."""
    return tmp_path / "part"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of the step."""
    return tmp_path / "log"
