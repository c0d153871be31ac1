"""Changes that a release brings for its users, and that somebody must have accepted by name."""

import difflib
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from pipeline.model import Recipe
from pipeline.model.errors import BumpError, RequestError

# What can be accepted, and what follows from it for those who use the packages.
FOLLOWS = {
    "soname": "whoever names the old library, in LD_PRELOAD or by linking with it, runs on without "
    "mimalloc or does not start: every drop-in and every program must be changed with the update",
    "files": "after an update other paths are there: who includes, links or copies one that goes "
    "does not find it, and one that comes may be another package's",
    "licence": "the packages say what package.toml has for a licence, and users rely on it: read "
    "the new text, and correct it there if it is another licence",
    "cmake": "source packages need a newer cmake: where a dist has none, mock, COPR and "
    "`rpmbuild --rebuild` fail",
    "libraries": "a program on the library does not start where these are missing: rpm brings "
    "them, or refuses the update where no repository has them",
    "source": "users get a tree for which upstream does not vouch, or about which those who "
    "package it do not agree: compare the trees before you trust one",
    "tag": "packages of the same name, version and release would differ: whoever has the old one "
    "keeps it, unless the release number rises too; and why upstream moved a tag is a question",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its name in ``FOLLOWS``, and the evidence, line by line."""

    name: str
    evidence: str


def names(text: str) -> frozenset[str]:
    """The names of a comma list. Raises RequestError for one that is none."""
    accepted = frozenset(name.strip() for name in text.split(",") if name.strip())
    strange = sorted(accepted - FOLLOWS.keys())
    if strange:
        raise RequestError(
            f"--accept: unknown {', '.join(strange)}", expected=f"some of {', '.join(FOLLOWS)}"
        )
    return accepted


def refuse(version: str, found: Iterable[Change], accepted: Collection[str]) -> None:
    """Raise BumpError for the changes that nobody has accepted, with what follows from each."""
    found = list(found)
    left = [change for change in found if change.name not in accepted]
    if not left:
        return
    lines = []
    for change in left:
        lines += [f"{change.name}:", *(f"  {line}" for line in change.evidence.splitlines())]
        lines += textwrap.wrap(
            FOLLOWS[change.name], 96, initial_indent="  so: ", subsequent_indent="      "
        )
    names = sorted({change.name for change in found} | set(accepted), key=list(FOLLOWS).index)
    raise BumpError(
        f"mimalloc {version} brings what nobody has accepted yet: "
        + ", ".join(change.name for change in left),
        detail="\n".join(lines),
        hint=f"the same command with --accept {','.join(names)}, if that is what you want",
    )


def of_soname(old: Recipe, new: Recipe) -> Iterator[Change]:
    """The name that programs and the loader know the library by."""
    if old.soname != new.soname:
        yield Change("soname", f"{old.soname} in {old.version}, {new.soname} in {new.version}")


def of_files(
    old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Iterator[Change]:
    """The paths of packages, by the name of their list; versions in them are left out of it."""
    told = difference(old, new)
    if told:
        yield Change("files", "\n".join(told))


def difference(old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]) -> list[str]:
    """The lines that go and come, each with the names of the lists that are concerned."""
    found: dict[str, list[str]] = {}
    for name, lines in new.items():
        for line in difflib.ndiff(list(old.get(name, ())), list(lines)):
            if line.startswith(("+ ", "- ")):
                found.setdefault(line, []).append(name)
    return [f"{line}    ({', '.join(names)})" for line, names in found.items()]


def neutral(paths: Iterable[str], recipe: Recipe) -> list[str]:
    """Paths with words in place of the release's own numbers, to be compared with another's."""
    line = ".".join(recipe.version.split(".")[:2])
    numbers = recipe.library.rpartition(".so")[2], recipe.soname.rpartition(".so")[2]
    shown = []
    for path in paths:
        path = path.replace(f"mimalloc-{line}", "mimalloc-{line}")
        for number, word in zip(numbers, ("{library}", "{soname}"), strict=True):
            if path.endswith(f".so{number}"):
                path = path.removesuffix(number) + f".{word}"
        shown.append(path)
    return shown


def of_licence(old: str | None, new: str) -> Iterator[Change]:
    """The text of the licence; ``old`` is None where it could not be read."""
    if old is None:
        yield Change("licence", "that of the previous release could not be read, to compare")
    elif old.split() != new.split():
        diff = difflib.unified_diff(old.splitlines(), new.splitlines(), "old", "new", "", "", 0, "")
        yield Change("licence", "\n".join(diff))


def of_cmake(old: str | None, new: str) -> Iterator[Change]:
    """The version of cmake that a build needs at least."""
    if old is None:
        yield Change("cmake", "that of the previous release could not be read, to compare")
    elif Version(new) > Version(old):
        yield Change("cmake", f"{old} or newer before, {new} or newer now")


def of_libraries(
    old: Mapping[str, Sequence[str]] | None, new: Mapping[str, Sequence[str]]
) -> Iterator[Change]:
    """The libraries that the library needs, by dist; ``old`` is None where it was not built."""
    if old is None:
        yield Change("libraries", "those of the previous release are not known, to compare")
        return
    lines = []
    for dist, needed in new.items():
        come = sorted(set(needed) - set(old.get(dist, ())))
        if come:
            lines.append(f"{dist}: {', '.join(come)}")
    if lines:
        yield Change("libraries", "\n".join(lines))
