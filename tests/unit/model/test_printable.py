"""`printable`: what a terminal would obey is shown, and not obeyed."""

import pytest

from pipeline.model.errors import SignError
from pipeline.model.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\n\tlines, ü and 漢", "two\n\tlines, ü and 漢"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("back\rforged", r"back\rforged"),
        ("\x9b31m", r"\x9b31m"),
        ("gnp.\u202efdp", r"gnp.\u202efdp"),
        ("a\u2028b\x00\x7f", r"a\u2028b\x00\x7f"),
        ("half \udc80", r"half \udc80"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    """Those of ASCII and of ISO 8859, those of direction, halves of characters."""
    assert shown == printable(text)


def test_a_message_shows_them_too() -> None:
    """What a package or a key says of itself is part of messages."""
    message = str(SignError("no", got="\x1b[2J", detail="\x1b[1m"))

    assert "\x1b" not in message
    assert 2 == message.count(r"\x1b[")
