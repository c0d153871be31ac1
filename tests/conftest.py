"""What all tests share: how much of a campaign is tried."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Campaigns are run on a sample, unless they are asked for in full."""
    parser.addoption("--full", action="store_true", help="try all, and not a sample")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is marked as beyond the sample; pytest tells how many those are."""
    if config.getoption("--full"):
        return
    beyond = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=beyond)
    items[:] = [item for item in items if item not in beyond]
