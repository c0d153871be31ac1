"""The options of upstream's CMakeLists: new, dropped, changed, and whether we decided on them.

``recipes/options/<version>.txt`` has those of a pinned release, as ``NAME=default``, and the cmake
that it needs, as ``cmake_minimum_required=VERSION``. An option is decided on where a ``[cmake]``
table sets it, or where ``[options]`` in ``recipes/package.toml`` says why its default is right.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Package

# Comments and brackets first: what is in them is neither a command nor the end of a quotation.
_TOKEN = re.compile(
    r"""
      \#\[(?P<c>=*)\[ .*? \](?P=c)\] | \#[^\n]*
    | \[(?P<b>=*)\[ (?P<bracket>.*?) \](?P=b)\]
    | "(?P<quoted>(?:\\.|[^"\\])*)"
    | (?P<paren>[()])
    | (?P<word>(?:\\.|[^\s()\#"\\])+)
    """,
    re.DOTALL | re.VERBOSE,
)

_MINIMUM = "cmake_minimum_required"


@dataclass(frozen=True, slots=True)
class Option:
    """An option's default, and what upstream says of it."""

    default: str
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The options of a release, compared with those of another.

    ``lines`` are what differs, for the plan. ``undecided`` are the options that nobody has decided
    on, and ``changed`` the evidence of new defaults that would be built in.
    """

    lines: tuple[str, ...]
    undecided: Mapping[str, Option]
    changed: tuple[str, ...]


def file(root: Path, version: str) -> Path:
    """The file with the options of a pinned release."""
    return root / "recipes" / "options" / f"{version}.txt"


def read(text: str) -> dict[str, Option]:
    """The options of a CMakeLists by name: those of ``option()``, and cached variables.

    One that is declared with several defaults, under conditions, has all of them.
    """
    options: dict[str, Option] = {}
    for command, (name, *rest) in _commands(text):
        if command in ("option", "cmake_dependent_option"):
            described, default = [*rest, ""][0], [*rest[1:], "OFF"][0]
        elif command == "set" and "CACHE" in rest:
            place = rest.index("CACHE")
            described, default = [*rest[place + 2 :], ""][0], ";".join(rest[:place])
        else:
            continue
        former = options[name].default.split(" or ") if name in options else []
        default = " or ".join(dict.fromkeys([*former, " ".join(default.split())]))
        options[name] = Option(default, " ".join(described.split()))
    return options


def minimum(text: str) -> str:
    """The version of cmake that a CMakeLists needs at least; ``0`` where it does not say."""
    for command, arguments in _commands(text):
        if command == _MINIMUM and (found := re.match(r"\d+(\.\d+)*", [*arguments, "", ""][1])):
            return found[0]
    return "0"


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command that has arguments: its name in lower case, and they."""
    name, depth, arguments = "", 0, list[str]()
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "paren":
            depth = depth + 1 if token[0] == "(" else max(depth - 1, 0)
            if not depth and arguments:
                yield name, arguments
                arguments = []
        elif not depth:
            name = token[0].lower()
        elif kind == "bracket":
            arguments.append(token[kind])
        elif kind in ("quoted", "word"):
            arguments.append(re.sub(r"\\(\W)", r"\1", token[kind]))


def written(options: Mapping[str, Option], cmake: str) -> str:
    """The content of a release's file."""
    defaults = {name: option.default for name, option in sorted(options.items())}
    return "".join(f"{name}={value}\n" for name, value in {_MINIMUM: cmake, **defaults}.items())


def recorded(root: Path, version: str) -> tuple[dict[str, str], str]:
    """The defaults by name, and the cmake, of a pinned release; without a file none, and ``0``."""
    path = file(root, version)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    values = {name: value for name, _, value in (line.partition("=") for line in lines)}
    cmake = values.pop(_MINIMUM, "0")
    return values, cmake


def differences(root: Path, versions: Iterable[str], new: Mapping[str, Option]) -> dict[str, int]:
    """In how many options and defaults each pinned release differs from the new one."""
    defaults = {name: option.default for name, option in new.items()}.items()
    return {version: len(defaults ^ recorded(root, version)[0].items()) for version in versions}


def settings(package: Package, cmake: Iterable[str]) -> frozenset[str]:
    """The options that are set, by a recipe's ``[cmake]``, that of all releases, or a flavor's."""
    tables = (package.cmake, cmake, *(flavor.cmake for flavor in package.flavor.values()))
    return frozenset(name.partition(":")[0] for table in tables for name in table)


def compare(
    old: Mapping[str, str],
    new: Mapping[str, Option],
    reasons: Mapping[str, str],
    settings: Collection[str],
) -> Comparison:
    """Compare the defaults ``old`` with the options ``new``; ``settings`` are those that are set.

    ``reasons`` are those of ``[options]``.
    """
    lines, changed = list[str](), list[str]()
    undecided = {n: o for n, o in sorted(new.items()) if n not in reasons and n not in settings}
    for name, option in sorted(new.items()):
        entry, decision = f"{name}={option.default}", reasons.get(name, "")
        if name in settings:
            decision = "set by us"
        if name in undecided:
            lines.append(f"+ {entry}    nobody has decided on it: {option.text}")
        elif name not in old:
            lines.append(f"+ {entry}    {decision}")
        elif option.default != old[name]:
            lines.append(f"! {name}={old[name]} -> {option.default}    {decision}")
            if name not in settings:
                changed.append(f"{name}={old[name]} -> {option.default}    {option.text}")
    for name in sorted(old.keys() - new.keys()):
        warning = "    set by us: remove it, as cmake may ignore it" if name in settings else ""
        lines.append(f"- {name}={old[name]}{warning}")
    return Comparison(tuple(lines), undecided, tuple(changed))
