"""Whether we have decided on the cmake options of a new release; if not, it is not pinned."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.bump import cmake_options, recipe_writer
from pipeline.bump.changes import Change
from pipeline.bump.cmake_options import Comparison, Option
from pipeline.bump.scratch import ScratchCheckout
from pipeline.config import load
from pipeline.model.errors import BumpError


def compare(
    scratch: ScratchCheckout, other: str, options: Mapping[str, Option], recipe: str
) -> Comparison:
    """Compare the options of the new release with those of ``other``, and print what differs.

    ``recipe`` is the text of the new recipe.
    """
    package, (old, _) = load.package(scratch.root), cmake_options.recorded(scratch.root, other)
    settings = cmake_options.settings(package, recipe_writer.cmake(recipe))
    comparison = cmake_options.compare(old, options, package.options, settings)
    differences = "with these differences" if comparison.lines else "without a difference"
    scratch.report.line(f"  options     of CMakeLists.txt as in {other}, {differences}")
    for line in comparison.lines:
        scratch.report.line(f"    {line}")
    return comparison


def carry(
    scratch: ScratchCheckout, recipe: str, options: Mapping[str, Option], others: Iterable[str]
) -> str:
    """The recipe with what other releases, the nearest first, set for options that it does not.

    ``options`` are those of the new release.
    """
    package = load.package(scratch.root)
    for other in others:
        known = cmake_options.settings(package, recipe_writer.cmake(recipe))
        names = [name for name in options if name not in known and name not in package.options]
        file = scratch.root / "recipes" / f"{other}.toml"
        recipe, taken = recipe_writer.with_settings(recipe, names, file.read_text(encoding="utf-8"))
        for name in taken:
            scratch.report.line(f"  {name} as in {other}, the nearest release that sets it")
    return recipe


def refuse(scratch: ScratchCheckout, comparison: Comparison, draft: Path, command: str) -> None:
    """Raise BumpError for options that nobody has decided on; ``command`` begins with ``draft``."""
    undecided = comparison.undecided
    if undecided:
        raise BumpError(
            f"mimalloc {scratch.version} has options that nobody has decided on: "
            + ", ".join(undecided),
            expected="a reason to leave each at its default, or a value",
            got="neither in [options] and [cmake] of package.toml, nor in [cmake] of the recipe",
            file=scratch.checkout / "recipes" / "package.toml",
            detail="\n".join(f"{n}={o.default}    {o.text}" for n, o in undecided.items()),
            hint=f'add NAME = "<why its default is right>" to [options] of that file,\n'
            f"or set it in [cmake] of {draft}; then\n{command}",
        )


def changes(comparison: Comparison) -> list[Change]:
    """The new defaults that must be accepted."""
    return [Change("options", "\n".join(comparison.changed))] if comparison.changed else []


def write(scratch: ScratchCheckout, options: Mapping[str, Option], cmake: str) -> None:
    """Write the options of the new release, and its cmake, into the scratch checkout."""
    file = cmake_options.file(scratch.root, scratch.version)
    file.parent.mkdir(exist_ok=True)
    file.write_text(cmake_options.written(options, cmake), encoding="utf-8")
