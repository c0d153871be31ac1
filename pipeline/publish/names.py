"""What is served has the name that its header says, of a package that a recipe makes."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.build import selection
from pipeline.inspect import header
from pipeline.model import Plan
from pipeline.model.errors import RepositoryError
from pipeline.publish.inventory import NOARCH, Item

# How many paths a command line has space for, however long they are.
_AT_ONCE = 400


def check(root: Path, items: Iterable[Item], home: Path) -> None:
    """Raise RepositoryError with all packages that bear another name than we would give them.

    ``home`` is a folder without rpm macros. An older release number than the recipe's is right: it
    was the recipe's before.
    """
    items, newest = sorted(items, key=lambda item: item.file), _newest_releases(root)
    complaints = []
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        own = header.names([item.file for item in some], home=home)
        for item, name in zip(some, own, strict=True):
            if name != item.file.name:
                complaints.append(f"{item.file.name}: its header says {name}")
            elif item.release > newest.get((item.name, item.version, item.dist, item.arch), 0):
                complaints.append(f"{name}: no recipe makes it")
    if complaints:
        raise RepositoryError(
            "there are packages that are not ours",
            expected="packages of the recipes, under the names of their headers",
            detail="\n".join(complaints),
            hint="remove them from dist/ and from repository/, then the same command again",
        )


def _newest_releases(root: Path) -> dict[tuple[str, str, str, str], int]:
    """The release number of each package that recipes make: by name, version, dist and arch."""
    plans = selection.plans(root, selection.ALL)
    return {
        (name, plan.recipe.version, plan.root.dist, arch): plan.recipe.release
        for plan in plans
        for name, arch in _names(plan)
    }


def _names(plan: Plan) -> Iterator[tuple[str, str]]:
    yield plan.name, plan.arch
    yield plan.name, "src"
    yield plan.debuginfo.name, plan.arch
    for subpackage in plan.subpackages:
        yield subpackage.name, NOARCH
