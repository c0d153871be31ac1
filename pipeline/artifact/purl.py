"""Package URLs: what the world calls a source, and a program that took part in a build."""

from urllib.parse import quote

# The Python package that brings a program; the others are the host's.
_BROUGHT_BY = {"zig": "ziglang", "cmake": "cmake", "ninja": "ninja"}

# What package URLs leave as it is, in a version.
_PLAIN = "-._~:"


def of_source(kind: str, reference: str) -> str:
    """Where a source can be had, by its kind; empty where that is no public place."""
    if kind == "url":
        return reference
    if kind == "sdist":
        name, _, version = reference.partition("==")
        return f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version, _PLAIN)}"
    if kind == "debian":
        name, _, version = reference.partition("=")
        return f"pkg:deb/debian/{name}@{quote(version, _PLAIN)}?arch=source"
    return ""


def of_tool(name: str, version: str) -> str:
    """A program and its version."""
    if name in _BROUGHT_BY:
        return f"pkg:pypi/{_BROUGHT_BY[name]}@{quote(version, _PLAIN)}"
    return f"pkg:generic/{name}@{quote(version, _PLAIN)}"
