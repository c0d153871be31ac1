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
_OWN = re.compile(r"(?m)^(#.*\n)*(folders|unmarked|profile)\b.*\n")

# The first line of a draft.
MADE_FROM = "# Made from the recipe of {version}.\n"
_MADE_FROM = re.compile(MADE_FROM.format(version=r"(\S+)"))

# The length of a list that is written on one line.
_WIDTH = 88


def relatives(
    version: str, versions: Iterable[str], differences: Mapping[str, int] | None = None
) -> list[str]:
    """The other releases, the nearest first: those of its line, then by ``differences``.

    Those are how many options differ, by version. Among equals the next older comes first.
    """
    others = sorted(set(versions) - {version}, key=Version)
    older = [other for other in others if Version(other) < Version(version)]
    ordered = [*reversed(older), *others[len(older) :]]
    number = (differences or {}).get
    return sorted(ordered, key=lambda other: (line(other) != line(version), number(other, 0)))


def made_from(file: Path) -> str:
    """The release whose recipe a draft was made from, or is."""
    text = _read(file)
    match = _MADE_FROM.match(text)
    return match[1] if match else str(tomlkit.parse(text).get("version", ""))


def recipe(base: Path, version: str, release: Release, day: str) -> str:
    """The text of a release's recipe. Options and comments are those of ``base``.

    ``base`` is a recipe: another release's, or one that a user has written for this one. ``day`` is
    the date of the changelog entry.
    """
    text = _MADE_FROM.sub("", _read(base))
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


def with_settings(text: str, names: Iterable[str], donor: str) -> tuple[str, list[str]]:
    """A recipe with what the recipe ``donor`` sets for these options; and the options it sets.

    What a flavor sets comes with its whole table, as the level depends on it.
    """
    document, other, taken = tomlkit.parse(text), tomlkit.parse(donor), list[str]()
    for name in names:
        for key, value in other.get("cmake", {}).items():
            if key.partition(":")[0] == name:
                document.setdefault("cmake", tomlkit.table())[key] = value
                taken.append(name)
        for flavor, table in other.get("flavor", {}).items():
            if any(key.partition(":")[0] == name for key in table.get("cmake", ())):
                document.setdefault("flavor", tomlkit.table(True))[flavor] = table
                taken.append(name)
    return _tidy(tomlkit.dumps(document)), taken


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


def with_profile(text: str, checksum: str) -> str:
    """A recipe whose profile has this checksum, on the line after that of the tree."""
    text = without_profile(text)
    return re.sub(r"(?m)^tree( *=).*\n", rf'\g<0>profile    = "{checksum}"\n', text, count=1)


def without_profile(text: str) -> str:
    """A recipe that pins no profile."""
    return re.sub(r"(?m)^profile\b.*\n", "", text)


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


def patches(text: str) -> list[str]:
    """The names of the patches of a recipe, in their order."""
    return [str(table["file"]) for table in tomlkit.parse(text).get("patch", ())]


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
