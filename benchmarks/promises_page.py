"""docs/library.md, out of docs/library.json, the recipes and the list of promises."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.settings import Promise, Settings
from pipeline.compare.allocators import C_LIBRARY
from pipeline.compare.results import table
from pipeline.config import load
from pipeline.model import Recipe
from pipeline.system import templates
from pipeline.system.report import Report
from pipeline.system.workspace import place_text

DATA, PAGE = Path("docs/library.json"), Path("docs/library.md")
TEMPLATE = Path(__file__).with_name("library.md.j2")

# What a release was measured as, by version: patches, and what was measured before and after them.
Releases = Mapping[str, Mapping[str, Any]]

# Characters of a command line that the page shows.
_SHOWN = 60


def run(settings: Settings, root: Path, report: Report) -> None:
    """Write the page anew from what was measured."""
    place_text(text(root, settings.promise), root / PAGE)


def text(root: Path, promises: Sequence[Promise]) -> str:
    """The page."""
    document = json.loads((root / DATA).read_text(encoding="utf-8"))
    releases: Releases = document["releases"]
    recipes = {version: load.recipe(root, version) for version in releases}
    notes = [(recipe, item) for recipe in recipes.values() for item in recipe.accepted]
    lines = document["lines"]
    return templates.fill(
        TEMPLATE,
        machine="; ".join(document["machine"][:2]) + ".",
        dist=document["dist"].upper(),
        lines=sum(lines.values()),
        missing=", ".join(document["missing"]),
        promises=_markdown(promise_rows(releases, promises, recipes)),
        notes=[f"{recipe.version}, `{item.rule}`: {item.why}" for recipe, item in notes],
        counts=_markdown(_counts(releases)),
        rules=_markdown(_rules(releases)),
        peaks=_markdown(_peaks(releases, document[C_LIBRARY])),
        code=_markdown(_code(releases)),
        instructions=_markdown(_instructions(releases)),
        failing_after=any(sides["after"]["programs"] for sides in releases.values()),
        programs=[
            (f"{version}{', packaged' if side == 'after' else ''}", _programs(failing, lines))
            for side in ("before", "after")
            for version, sides in releases.items()
            if (failing := sides[side]["programs"])
        ],
        releases=[(version, recipe.patch) for version, recipe in recipes.items()],
    )


def patches(root: Path, recipe: Recipe) -> list[str]:
    """The names of a release's patches that change what is compiled, and so what was measured."""
    files = (load.patch_file(root, recipe, patch) for patch in recipe.patch)
    return [file.name for file in files if "\n+++ b/src/" in file.read_text(encoding="utf-8")]


def failed(side: Mapping[str, Any]) -> set[str]:
    """Trials and rules that failed, and `programs`, in the words of the promises."""
    names = {name.removeprefix("conformance: ") for name in side["failed"]}
    return names | ({"programs"} if side["programs"] else set())


def promise_rows(
    releases: Releases, promises: Sequence[Promise], recipes: Mapping[str, Recipe]
) -> list[list[str]]:
    """A row for each promise: whether each release keeps it, or the number of the reason if not."""
    reasons = [(version, item.rule) for version, each in recipes.items() for item in each.accepted]

    def cell(version: str, promise: Promise) -> str:
        before, after = (
            failed(releases[version][side]) & set(promise.shown_by) for side in ("before", "after")
        )
        numbers = [
            str(n) for n, (v, rule) in enumerate(reasons, 1) if v == version and rule in after
        ]
        reason = f" ({', '.join(numbers)})" if numbers else ""
        return f"no{reason}" if after else "patched" if before else "yes"

    return [
        ["promise", *releases],
        *([each.title, *(cell(version, each) for version in releases)] for each in promises),
        ["objects opened with RTLD_DEEPBIND, on EL7 and EL8", *["hooks"] * len(releases)],
    ]


def _counts(releases: Releases) -> Iterator[list[str]]:
    yield [
        *("release", "calls", "violations before", "after"),
        *("first calls", "violations before", "after", "children before", "after"),
    ]
    for version, sides in releases.items():
        row = [version]
        for first in (False, True):
            before, after = (
                [
                    count
                    for name, count in sides[side]["counts"].items()
                    if (name == "first-call") == first
                ]
                for side in ("before", "after")
            )
            row += [f"{sum(calls for calls, _ in after):,}"]
            row += [f"{sum(bad for _, bad in counts):,}" for counts in (before, after)]
        for side in ("before", "after"):
            forks, *bad = sides[side]["forks"]
            row.append(f"{sum(bad)} of {forks}")
        yield row


def _rules(releases: Releases) -> Iterator[list[str]]:
    yield ["rule", *releases]
    columns = [sides["before"]["counts"] for sides in releases.values()]
    for rule in dict.fromkeys(rule for counts in columns for rule in counts):
        if any(counts[rule][1] for counts in columns):
            yield [rule, *("{1} of {0}".format(*c[rule]) if c[rule][1] else "" for c in columns)]


def _peaks(releases: Releases, c_library: Mapping[str, int]) -> Iterator[list[str]]:
    names = list(c_library)
    yield ["MiB", *(cell for name in names for cell in (f"{name} before", "after"))]
    for version, sides in releases.items():
        peaks = [sides[side]["peaks"][name] for name in names for side in ("before", "after")]
        yield [version, *map(str, peaks)]
    yield [C_LIBRARY, *(cell for name in names for cell in ("", str(c_library[name])))]


def _code(releases: Releases) -> Iterator[list[str]]:
    names = list(next(iter(releases.values()))["before"]["code"])
    yield ["release", *(f"`{name}`" for name in names)]
    for version, sides in releases.items():
        pairs = [[sides[side]["code"][name] for side in ("before", "after")] for name in names]
        yield [
            version,
            *(
                f"{before[0]}, the same" if before == after else f"{before[0]} → {after[0]}"
                for before, after in pairs
            ),
        ]


def _instructions(releases: Releases) -> Iterator[list[str]]:
    names = list(next(iter(releases.values()))["before"]["instructions"])
    yield ["release", *names]
    for version, sides in releases.items():
        pairs = [
            [sides[side]["instructions"][name] for side in ("before", "after")] for name in names
        ]
        yield [
            version,
            *(
                f"{after / before:.4f}"
                if isinstance(before, int)
                else f"{before:.1f} → {after:.1f}"
                for before, after in pairs
            ),
        ]


def _programs(failing: Mapping[str, Sequence[str]], lines: Mapping[str, int]) -> str:
    """Of each group how many command lines fail, and the shortest of them."""
    return "; ".join(
        f"{group} {len(those)} of {lines[group]}, such as `{_begin(min(those, key=len))}`"
        for group, those in failing.items()
    )


def _begin(command: str) -> str:
    """A command line, or the beginning of a long one."""
    return command if len(command) <= _SHOWN else f"{command[:_SHOWN].rstrip()} ..."


def _markdown(rows: Sequence[list[str]] | Iterator[list[str]]) -> str:
    return "\n".join(table(list(rows), markdown=True))
