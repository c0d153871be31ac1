"""A key that nobody has."""

from __future__ import annotations

import pytest

from pipeline.publish.key import Key


@pytest.fixture
def key() -> Key:
    """A key's description."""
    return Key("0123456789ABCDEF" * 2 + "01234567", "Nobody <nobody@x.invalid>", "public half\n")
