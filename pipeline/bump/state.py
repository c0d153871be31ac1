"""Where a version stands in a checkout: which of its pieces are there, and which are not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.build import selection
from pipeline.build.selection import ALL
from pipeline.bump import documents
from pipeline.config import load
from pipeline.model import Plan
from pipeline.model.errors import PackagingError
from pipeline.system.checksum import digest, sha256_of

# What a bump reads of a checkout.
DATA = ("recipes", "patches", "buildroot", str(documents.README), str(documents.CHANGELOG))


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a pinned release, and what is wrong with it; nothing, where it is in place."""

    name: str
    fault: str

    @property
    def there(self) -> bool:
        """Whether it is in place."""
        return not self.fault


def pieces(root: Path, version: str) -> list[Piece]:
    """Every piece of a release, as it stands in a checkout."""
    return list(_pieces(root, version))


def plans(root: Path, version: str, source: str = "") -> list[Plan]:
    """Every package of a release: for each dist, machine and flavor."""
    return selection.plans(root, replace(ALL, version=version, source=source))


def is_pinned(root: Path, version: str) -> bool:
    """Whether there is a recipe of this version."""
    return version in load.versions(root)


def fingerprint(root: Path) -> str:
    """One key for all that a bump reads of a checkout: whether it is as it was."""
    return digest({name: sha256_of(file) for name, file in _files(root).items()})


def differences(root: Path, bench: Path) -> dict[str, str | None]:
    """What is to be put into a checkout to make it what the bench is: path to text, or to None.

    The recipe comes last: without it all the rest is without effect.
    """
    old, new = _files(root), _files(bench)
    found: dict[str, str | None] = {}
    for name in sorted({*old, *new}, key=lambda name: (name.endswith(".toml"), name)):
        if name not in new:
            found[name] = None
        elif name not in old or sha256_of(old[name]) != sha256_of(new[name]):
            found[name] = new[name].read_text(encoding="utf-8")
    return found


def _files(root: Path) -> dict[str, Path]:
    starts = [root / name for name in DATA]
    files = (file for start in starts for file in [start, *start.rglob("*")] if file.is_file())
    return {str(file.relative_to(root)): file for file in files}


def _pieces(root: Path, version: str) -> Iterator[Piece]:
    name = f"recipes/{version}.toml"
    if not is_pinned(root, version):
        yield from (Piece(each, "missing") for each in (name, "manifests", "README", "CHANGELOG"))
        return
    try:
        recipe = load.recipe(root, version)
        for change in recipe.patch:
            load.patch_file(root, recipe, change)
    except PackagingError as problem:
        yield Piece(name, problem.what)
        return
    yield Piece(name, "")
    files = {load.manifest_file(root, plan) for plan in plans(root, version)}
    missing = sorted(file.name for file in files if not file.is_file())
    yield Piece("manifests", f"missing {', '.join(missing)}" if missing else "")
    readme, changelog = (
        (root / file).read_text(encoding="utf-8")
        for file in (documents.README, documents.CHANGELOG)
    )
    yield Piece("README", "" if documents.has_row(readme, recipe) else "no row")
    yield Piece("CHANGELOG", "" if documents.announces(changelog, version) else "no entry")
