"""What the campaigns share: real packages, a copy of the project, as many examples as asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.build.conftest import (
    Package,
    as_root,
    checkout,
    gnupg,
    invoke,
    package,
    publisher,
    tell_what_is_untested,
)
from tests.faults import house as houses
from tests.faults import tally
from tests.faults.house import BUILD, DIST, VERSION, House

__all__ = [
    "as_root",
    "checkout",
    "gnupg",
    "invoke",
    "package",
    "publisher",
]


@pytest.fixture(scope="session")
def pristine(package: Package, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house in which a package is made, undisturbed, and beside it a copy of all of it."""
    package(VERSION, DIST)
    house = houses.make(tmp_path_factory.mktemp("houses") / "house")
    house.done(*BUILD, "--offline")
    house.keep()
    return house


@pytest.fixture(scope="module")
def built(pristine: House) -> House:
    """The house as it was when the package was made, with all that its compiler keeps."""
    pristine.renew()
    return pristine


@pytest.fixture
def keys(gnupg: Path) -> dict[str, str]:
    """What tells gpg where the keys are."""
    return {"GNUPGHOME": str(gnupg)}


# Examples of each property: by default, and in full.
SAMPLE, FULL = 60, 3000


def pytest_configure(config: pytest.Config) -> None:
    """The same examples each time; in full always others, and what it takes to see one again."""
    full = config.getoption("--full")
    settings.register_profile(
        "campaign",
        max_examples=FULL if full else SAMPLE,
        derandomize=not full,
        print_blob=True,
        database=None,
        # Bounds are the cage's matter; how fast the machine is today is nobody's fault.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("campaign")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was tried, and how often; and what could not be."""
    if tally.TRIED:
        terminalreporter.write_line(f"tried: {tally.told()}")
    tell_what_is_untested(terminalreporter)
