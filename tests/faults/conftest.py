"""What the campaigns share: real packages, a copy of the project, as many examples as asked for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.build.conftest import (
    as_root,
    checkout,
    gnupg,
    invoke,
    package,
    publisher,
    pytest_terminal_summary,
)

__all__ = [
    "as_root",
    "checkout",
    "gnupg",
    "invoke",
    "package",
    "publisher",
    "pytest_terminal_summary",
]

# Examples of each property: by default, and in full.
SAMPLE, FULL = 60, 3000


def pytest_configure(config: pytest.Config) -> None:
    """The same examples each time, so that a failure can be seen again."""
    settings.register_profile(
        "campaign",
        max_examples=FULL if config.getoption("--full") else SAMPLE,
        derandomize=True,
        database=None,
        # Bounds are the cage's matter; how fast the machine is today is nobody's fault.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("campaign")
