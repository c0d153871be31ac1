"""What all tests share: how much of a campaign is tried, and what is said of it at the end."""

from typing import Any

import pytest

from tests import tally


def pytest_addoption(parser: pytest.Parser) -> None:
    """Campaigns are run on a sample, unless they are asked for in full."""
    parser.addoption("--full", action="store_true", help="try all, and not a sample")
    parser.addoption("--rpms", metavar="FOLDER", help="packages of Enterprise Linux, for a root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is marked as beyond the sample; pytest tells how many those are."""
    if config.getoption("--full"):
        return
    beyond = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=beyond)
    items[:] = [item for item in items if item not in beyond]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run in several processes, each hands over what it says of its own."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = tally.of_this_process()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Adds up what the processes handed over; one that died has nothing."""
    if "tally" in getattr(node, "workeroutput", {}):
        tally.add(node.workeroutput["tally"])


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says last what was tried and how often, and what could not be tested."""
    tally.write(terminalreporter)
