"""What all tests share: how much of a campaign is tried."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Campaigns are run on a sample, unless they are asked for in full."""
    parser.addoption("--full", action="store_true", help="try all, and not a sample")
