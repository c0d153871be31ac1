"""What a terminal or a log may show of texts that come from files, keys, packages and processes."""

import unicodedata

# Control characters, and those that turn the direction of what follows.
_CATEGORIES = ("Cc", "Cf", "Zl", "Zp", "Cs")


def printable(text: str) -> str:
    """The text with escapes for all that a terminal would obey, but ends of lines and tabs."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(map(_character, text))


def _character(one: str) -> str:
    if one in "\n\t" or unicodedata.category(one) not in _CATEGORIES:
        return one
    return one.encode("unicode_escape").decode("ascii")
