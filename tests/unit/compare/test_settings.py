"""`settings`: what is measured, and what a user may change of it."""

from typing import Any

import pytest

from pipeline.compare import settings
from pipeline.compare.settings import Request, Settings
from pipeline.model import Selection
from pipeline.model.errors import RequestError


def requested(**options: Any) -> Settings:
    """The settings for some options of the command line."""
    return settings.requested(Request(Selection(), **options))


def test_loads_are_in_the_order_of_the_request() -> None:
    """Each once."""
    changed = requested(loads="tls, static,tls", rounds=2, seconds=1)

    assert ["tls", "static"] == [load.name for load in changed.load]
    assert (2, 1) == (changed.rounds, changed.seconds)


def test_a_sample_is_the_least_of_everything() -> None:
    """But for the loads: it tries all of them."""
    whole, sample = requested(), requested(sample=True)

    assert (1, 1, 1, 0) == (sample.rounds, sample.seconds, sample.idle, sample.counted)
    assert whole.load == sample.load
    assert (0, 3) == (whole.allocators, sample.allocators)


def test_an_unknown_load_is_refused() -> None:
    """Before anything is started."""
    with pytest.raises(RequestError, match="did you mean static"):
        requested(loads="statics")
