"""The recipe of a new release: that of the nearest release, with the new facts in it."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomlkit
from packaging.version import Version
from tomlkit.exceptions import TOMLKitError

from pipeline.bump.inspection import Release
from pipeline.bump.upstream_tags import line
from pipeline.model import Source
from pipeline.model.errors import RecipeError

# Keys that describe one release only, and that the next one does not take over.
_OWN = re.compile(r"(?m)^(#.*\n)*(folders|unmarked)\b.*\n")

# The length of a list that is written on one line.
_WIDTH = 88


def nearest(version: str, versions: Iterable[str]) -> str:
    """The release to begin with: the next older of the line, else the next newer.

    Where the line has none, the next older of all; empty where there is none at all.
    """
    others = sorted(set(versions) - {version}, key=Version)
    family = [other for other in others if line(other) == line(version)] or others
    older = [other for other in family if Version(other) < Version(version)]
    return (older[-1:] or family[:1] or [""])[0]


def recipe(base: Path, version: str, release: Release, day: str) -> str:
    """The text of a release's recipe. Options and comments are those of ``base``.

    ``base`` is a recipe: another release's, or one that a user has written for this one. ``day`` is
    the date of the changelog entry.
    """
    text = _read(base)
    former = str(tomlkit.parse(text).get("version", ""))
    document = tomlkit.parse(text if former == version else _OWN.sub("", text))
    facts = {
        "version": version,
        "line": line(version),
        "released": _raw(release.released.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        "soname": release.tree.soname,
        "library": release.tree.library,
        "mi_version": release.tree.mi_version,
        "tree": release.tree.identity,
        "source": _tables("source", map(_keys, release.sources())),
    }
    document.update(facts)
    if former != version:
        entries: Any = document.get("changelog", [])
        notes = (
            [str(note).replace(former, version) for note in entries[-1]["notes"]] if entries else []
        )
        document["changelog"] = _entry(1, day, notes or [f"Package mimalloc {version}"])
        for flavor in document.get("flavor", {}).values():
            _drop_unknown(flavor, release.tree.options)
    return _tidy(tomlkit.dumps(document))


def with_patches(text: str, checksums: Mapping[str, str], version: str) -> str:
    """A recipe with these patches only, by file name, pinned to these checksums.

    Where one goes, so do the notes of the first changelog entry, which may mention it.
    """
    document = tomlkit.parse(text)
    tables = document.get("patch", [])
    left = [table for table in tables if table["file"] in checksums]
    for table in left:
        table["sha256"] = checksums[table["file"]]
    if len(left) < len(tables):
        document.pop("patch")
        if left:
            document["patch"] = _tables("patch", map(dict, left))
        document["changelog"][-1]["notes"] = [f"Package mimalloc {version}"]
    return _tidy(tomlkit.dumps(document))


def with_patch(text: str, table: dict[str, str]) -> str:
    """A recipe with one more patch, after the others; without others, above the changelog."""
    block = tomlkit.dumps({"patch": _tables("patch", [table])}).strip()
    before, mark, last = text.rpartition("[[patch]]")
    if not mark:
        before, mark, last = text.partition("[[changelog]]")
        return f"{before}{block}\n\n{mark}{last}"
    paragraph, gap, rest = last.partition("\n\n")
    return f"{before}{mark}{paragraph}\n\n{block}{gap}{rest}"


def with_entry(text: str, release: int, day: str, reason: str) -> str:
    """A recipe with one more entry on top of its changelog."""
    block = tomlkit.dumps({"changelog": _entry(release, day, [reason])})
    before, mark, after = text.partition("[[changelog]]")
    return f"{before}{block.strip()}\n\n{mark}{after}"


def cmake(text: str) -> list[str]:
    """The names that the ``[cmake]`` tables of a recipe and of its flavors set."""
    document = tomlkit.parse(text)
    tables = (document, *document.get("flavor", {}).values())
    return [name for table in tables for name in table.get("cmake", ())]


def accepted(text: str) -> frozenset[str]:
    """The rules of conformance that the release of a recipe may violate."""
    return frozenset(str(table["rule"]) for table in tomlkit.parse(text).get("accepted", ()))


def difference(base: Path, text: str) -> list[str]:
    """The lines of a recipe that are not those of the one it was made from."""
    lines = difflib.ndiff(_read(base).splitlines(), text.splitlines())
    return [line for line in lines if line[0] in "+-"]


def today() -> str:
    """The date of a changelog entry."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _drop_unknown(flavor: Any, options: Mapping[str, Any]) -> None:
    """Drop the options that a release does not have, and the secure level that they are for."""
    cmake = flavor.get("cmake", {})
    unknown = [name for name in cmake if name.partition(":")[0] not in options]
    for name in unknown:
        del cmake[name]
    if unknown:
        flavor.pop("level", None)


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        tomlkit.parse(text)
    except (TOMLKitError, OSError, ValueError) as problem:
        raise RecipeError("cannot be read as a recipe", got=str(problem), file=file) from problem
    return text


def _tidy(text: str) -> str:
    """One empty line between tables, one line end at the end."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _keys(source: Source) -> dict[str, str]:
    """The keys of a source that are set, its place first."""
    keys = {name: value for name, value in asdict(source).items() if value}
    return dict(sorted(keys.items(), key=lambda key: key[0] == "sha256"))


def _entry(release: int, day: str, notes: list[str]) -> Any:
    return _tables("changelog", [{"release": release, "date": _raw(day), "notes": notes}])


def _raw(text: str) -> Any:
    """A date or a time as it is written."""
    return tomlkit.parse(f"x = {text}")["x"]


def _tables(name: str, tables: Iterable[dict[str, Any]]) -> Any:
    """An array of tables in the layout of our recipes: a table a paragraph, its values aligned."""
    lines = []
    for table in tables:
        width = max(map(len, table))
        lines += [f"[[{name}]]"]
        lines += [f"{key:<{width}} = {_written(value)}" for key, value in table.items()]
        lines += [""]
    return tomlkit.parse("\n".join([*lines, ""]))[name]


def _written(value: Any) -> str:
    """A value as we write it: a list that is too long for a line has a line for each item."""
    text: str = tomlkit.item(value).as_string()
    if not isinstance(value, list) or len(text) <= _WIDTH:
        return text
    items = (f"    {tomlkit.item(str(item)).as_string()},\n" for item in value)
    return f"[\n{''.join(items)}]"
