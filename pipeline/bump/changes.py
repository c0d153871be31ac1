"""Changes that a release brings for its users, each of which must be accepted by name."""

import difflib
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from pipeline.bump import trial_build
from pipeline.bump.scratch import ScratchCheckout
from pipeline.bump.source_tree import Tree
from pipeline.config import load
from pipeline.inspect import elf
from pipeline.model import Package, Plan, Recipe
from pipeline.model.errors import BumpError, RequestError, SmokeError
from pipeline.system import process
from pipeline.toolchain import emulator

# What can be accepted, and what follows from it for those who use the packages.
FOLLOWS = {
    "soname": "a program that names the old library, in LD_PRELOAD or by linking with it, runs "
    "without mimalloc or does not start: drop-ins and programs must change with the update",
    "files": "after the update other paths are there: a program that includes, links or copies a "
    "removed one does not find it, and an added one may belong to another package",
    "licence": "the packages state the licence of package.toml: read the new text, and correct it "
    "there if it is another licence, with license_text",
    "cmake": "source packages need a newer cmake: where a dist has none, mock, COPR and "
    "`rpmbuild --rebuild` fail",
    "options": "the library is compiled in another way: where the old default is better, set it in "
    "[cmake] of the draft",
    "libraries": "a program on the library does not start where these are missing: rpm installs "
    "them, or refuses the update where no repository has them",
    "settings": "the settings of the sub-packages, in package.toml, and the tables of "
    "docs/administrator.md are those of the pinned releases: decide on each for the new one",
    "source": "the tree is not confirmed by upstream, or those who package it have different "
    "ones: compare the trees before you trust one",
    "tag": "packages of the same name, version and release would differ: an installed old one is "
    "not replaced unless the release number rises; and ask upstream why the tag was moved",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its name in ``FOLLOWS``, and the evidence, line by line."""

    name: str
    evidence: str


def names(text: str) -> frozenset[str]:
    """The names of a comma list. Raises RequestError for an unknown one."""
    accepted = frozenset(name.strip() for name in text.split(",") if name.strip())
    unknown = sorted(accepted - FOLLOWS.keys())
    if unknown:
        raise RequestError(
            f"--accept: unknown {', '.join(unknown)}", expected=f"some of {', '.join(FOLLOWS)}"
        )
    return accepted


def refuse(
    version: str, changes: Collection[Change], accepted: Collection[str], command: str
) -> None:
    """Raise BumpError for the changes that are not accepted, with what follows from each.

    ``command`` is the command line without ``--accept``.
    """
    refused = [change for change in changes if change.name not in accepted]
    if not refused:
        return
    lines = []
    for change in refused:
        lines += [f"{change.name}:", *(f"  {line}" for line in change.evidence.splitlines())]
        lines += textwrap.wrap(
            FOLLOWS[change.name], 96, initial_indent="  so: ", subsequent_indent="      "
        )
    raise BumpError(
        f"mimalloc {version} has changes that are not accepted: "
        + ", ".join(change.name for change in refused),
        detail="\n".join(lines),
        hint=f"{command} --accept {accepting(changes, accepted)}\nif you want them",
    )


def accepting(changes: Iterable[Change], accepted: Iterable[str]) -> str:
    """The comma list that accepts changes, and those that are accepted already."""
    needed = {change.name for change in changes} | set(accepted)
    return ",".join(name for name in FOLLOWS if name in needed)


def with_other(
    scratch: ScratchCheckout, other: str, plans: Sequence[Plan], source: str
) -> Iterator[Change]:
    """The changes of packages from the release ``other`` to the new one; ``plans`` are built.

    The other release is built from ``source``, else from where it is pinned. Also prints the memory
    of a process on both libraries.
    """
    new, old = load.recipe(scratch.root, scratch.version), load.recipe(scratch.root, other)
    checkout = replace(scratch, workspace=replace(scratch.workspace, root=scratch.checkout))
    former = trial_build.staged_other(other, checkout, source)
    library = trial_build.library(plans[0], scratch)
    yield from _files(old, new, plans, scratch)
    if not former:
        yield Change("libraries", f"unknown for mimalloc {other}, which cannot be built")
        return
    yield from of_libraries(elf.read(former).needed, elf.read(library).needed)
    if emulator.runs_here(plans[0]):
        for version, file in ((other, former), (scratch.version, library)):
            scratch.report.line(f"  cat on {version:<8} {_memory(file)}")
        yield from of_settings(_settings(former), _settings(library))


def _memory(library: Path) -> str:
    """The memory that ``cat`` reserves and uses on a library. Raises SmokeError."""
    # It prints its sizes, and which files it has loaded.
    argv = ("cat", "/proc/self/status", "/proc/self/maps")
    code, output, errors = process.attempt(argv, env={"LD_PRELOAD": str(library)})
    sizes = dict(re.findall(r"^(VmSize|VmRSS):\s+(\d+) kB$", output, re.MULTILINE))
    if code or str(library) not in output or len(sizes) < 2:
        raise SmokeError(f"cat does not run on {library.name}", detail=errors, file=library)
    return f"VSZ {sizes['VmSize']:>9} KiB   RSS {sizes['VmRSS']:>7} KiB"


def _settings(library: Path) -> dict[str, str]:
    """The environment variables that a library reads, with their defaults, as it prints them."""
    env = {"LD_PRELOAD": str(library), "MIMALLOC_VERBOSE": "1"}
    _, output, errors = process.attempt(["true"], env=env)
    options = re.findall(r"option '(\w+)': (-?\d+)", output + errors)
    return {f"MIMALLOC_{name.upper()}": value for name, value in options}


def _files(
    old: Recipe, new: Recipe, plans: Sequence[Plan], scratch: ScratchCheckout
) -> Iterator[Change]:
    """The changes of the manifests; where the other release has none, all is new."""
    old_lists, new_lists = dict[str, list[str]](), dict[str, list[str]]()
    for plan in plans:
        file = load.manifest_files(scratch.root, plan)[0]
        old_file = file.with_name(file.name.replace(new.version, old.version, 1))
        old_paths = old_file.read_text(encoding="utf-8") if old_file.is_file() else ""
        old_lists[plan.variant] = neutral(old_paths.splitlines(), old)
        new_lists[plan.variant] = neutral(file.read_text(encoding="utf-8").splitlines(), new)
    yield from of_files(old_lists, new_lists)


def of_files(
    old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Iterator[Change]:
    """The paths of packages, by the name of their list; a line names all lists that it is in."""
    lists: dict[str, list[str]] = {}
    for name, paths in new.items():
        for line in difflib.ndiff(list(old.get(name, ())), list(paths)):
            if line.startswith(("+ ", "- ")):
                lists.setdefault(line, []).append(name)
    if lists:
        yield Change("files", "\n".join(f"{k}    ({', '.join(v)})" for k, v in lists.items()))


def neutral(paths: Iterable[str], recipe: Recipe) -> list[str]:
    """Paths with words in place of the release's own numbers, to compare releases."""
    line = ".".join(recipe.version.split(".")[:2])
    numbers = {
        recipe.library.rpartition(".so")[2]: ".{library}",
        recipe.soname.rpartition(".so")[2]: ".{soname}",
    }
    lines = []
    for path in paths:
        stem, mark, number = path.replace(f"mimalloc-{line}", "mimalloc-{line}").rpartition(".so")
        lines.append(stem + mark + numbers.get(number, number))
    return lines


def of_tree(package: Package, old: Recipe, cmake: str, new: Tree, folder: Path) -> Iterator[Change]:
    """The changes that the tree of the new release shows by itself, which is in a folder.

    ``old`` is the recipe of another release, and ``cmake`` the version of cmake that it needs.
    """
    if old.soname != new.soname:
        yield Change("soname", f"{old.soname} in {old.version}, {new.soname} now")
    if package.license_text != new.licence:
        evidence = f"license_text of package.toml, without years: {package.license_text}"
        yield Change("licence", f"{evidence}\n{folder / 'LICENSE'}: {new.licence}")
    if Version(new.cmake) > Version(cmake):
        yield Change("cmake", f"{cmake} or newer for {old.version}, {new.cmake} or newer now")


def of_libraries(old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """The libraries that the library needs."""
    if added := sorted(set(new) - set(old)):
        yield Change("libraries", ", ".join(added))


def of_settings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    """The environment variables that the library reads, by name, with their defaults."""
    lines = [
        f"{name}: {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name) and "_DEPRECATED_" not in name
    ]
    if lines:
        yield Change("settings", "\n".join(lines))
