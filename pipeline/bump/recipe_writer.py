"""The recipe of a new release: that of its nearest relative, with the new release's facts in it."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomlkit
from packaging.version import Version
from tomlkit.exceptions import TOMLKitError

from pipeline.bump.source_tree import Tree
from pipeline.bump.upstream_tags import line
from pipeline.model import Source
from pipeline.model.errors import RecipeError

# What was true of one release, and is no promise of the next.
_OWN = ("folders",)


def nearest(version: str, versions: Iterable[str]) -> str:
    """The release that a new one takes after: the next older of its line, else the next newer.

    Where its line has none, the next older of all; empty where there is none at all.
    """
    others = sorted(set(versions) - {version}, key=Version)
    family = [each for each in others if line(each) == line(version)] or others
    older = [each for each in family if Version(each) < Version(version)]
    return (older[-1:] or family[:1] or [""])[0]


def recipe(
    base: Path, version: str, tree: Tree, released: datetime, sources: Sequence[Source], day: str
) -> str:
    """The recipe's text. What a new release cannot know better is carried, comments and all.

    ``base`` is a recipe: another release's, or one that somebody has written for this one.
    """
    document = read(base)
    former = str(document.get("version", ""))
    for name in _OWN if former != version else ():
        document.pop(name, None)
    facts = {
        "version": version,
        "line": line(version),
        "released": _moment(released),
        "soname": tree.soname,
        "library": tree.library,
        "mi_version": tree.mi_version,
        "tree": tree.identity,
        "source": _tables("source", [_filled(source) for source in sources]),
    }
    for name, value in facts.items():
        document[name] = value
    if former != version:
        notes = [note.replace(former, version) for note in _first_notes(document)]
        entry = {"release": 1, "date": _raw(day), "notes": notes or [f"Package mimalloc {version}"]}
        document["changelog"] = _tables("changelog", [entry])
    return tidy(tomlkit.dumps(document))


def without_patches(text: str, dropped: Iterable[str], version: str) -> str:
    """A recipe without these patches, and without what its changelog says of them."""
    document = tomlkit.parse(text)
    gone = set(dropped)
    left = [table for table in document.get("patch", []) if table["file"] not in gone]
    if gone:
        document.pop("patch", None)
        if left:
            document["patch"] = _tables("patch", [dict(table) for table in left])
        document["changelog"][-1]["notes"] = [f"Package mimalloc {version}"]
    return tidy(tomlkit.dumps(document))


def with_patch(text: str, file: str, sha256: str) -> str:
    """A recipe that pins a patch to this checksum."""
    document = tomlkit.parse(text)
    for table in document.get("patch", []):
        if table["file"] == file:
            table["sha256"] = sha256
    return tomlkit.dumps(document)


def without_marks(text: str, found: Iterable[str]) -> str:
    """A recipe that excuses the library from none of the hardening that was found in it."""
    document = tomlkit.parse(text)
    left = [trait for trait in document.get("unmarked", []) if trait not in set(found)]
    if left == list(document.get("unmarked", [])):
        return text
    if left:
        document["unmarked"] = left
        return tomlkit.dumps(document)
    return tidy(re.sub(r"(?m)^(#.*\n)*unmarked\b.*\n", "", text))


def with_entry(text: str, release: int, day: str, reason: str) -> str:
    """A recipe with one more entry on top of its changelog."""
    entry = {"release": release, "date": _raw(day), "notes": [reason]}
    block = tomlkit.dumps({"changelog": _tables("changelog", [entry])})
    before, mark, after = text.partition("[[changelog]]")
    return f"{before}{block.strip()}\n\n{mark}{after}"


def read(file: Path) -> tomlkit.TOMLDocument:
    """A recipe with its comments. Raises RecipeError."""
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8"))
    except (TOMLKitError, OSError, ValueError) as problem:
        raise RecipeError("cannot be read as a recipe", got=str(problem), file=file) from problem


def tidy(text: str) -> str:
    """One empty line between tables, one line end at the end."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def stem(base: Path) -> str:
    """What the library's file name begins with, as far as no release has a number in it."""
    before, mark, _ = str(read(base).get("soname", "")).partition(".so")
    if not mark:
        raise RecipeError("soname: expected <name>.so.<number>", got=before, file=base)
    return before + mark


def difference(base: Path, text: str) -> list[str]:
    """The lines of a recipe that are not those of the one it was made from."""
    former = base.read_text(encoding="utf-8").splitlines()
    return [line for line in difflib.ndiff(former, text.splitlines()) if line[0] in "+-"]


def _first_notes(document: tomlkit.TOMLDocument) -> list[str]:
    entries: Any = document.get("changelog", [])
    return [str(note) for note in entries[-1]["notes"]] if entries else []


def _filled(source: Source) -> dict[str, str]:
    """What of a source is set, its place first."""
    names = sorted((field.name for field in fields(source)), key=lambda name: name == "sha256")
    return {name: str(getattr(source, name)) for name in names if getattr(source, name)}


def _moment(moment: datetime) -> Any:
    return _raw(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _raw(text: str) -> Any:
    """A date or a time as it is written."""
    return tomlkit.parse(f"x = {text}")["x"]


def _tables(name: str, tables: Iterable[dict[str, Any]]) -> Any:
    """An array of tables in the manner of our recipes: a table a paragraph, its values aligned."""
    lines = []
    for table in tables:
        width = max(map(len, table))
        lines += [f"[[{name}]]"]
        lines += [
            f"{key:<{width}} = {tomlkit.item(value).as_string()}" for key, value in table.items()
        ]
        lines += [""]
    return tomlkit.parse("\n".join([*lines, ""]))[name]
