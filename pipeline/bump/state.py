"""Where a version stands in a checkout: which of its pieces are there, and which are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import recipes, request
from pipeline.bump import texts
from pipeline.checksum import digest, sha256_of
from pipeline.errors import PackagingError
from pipeline.model import Plan

# What a bump reads of a checkout.
DATA = ("recipes", "patches", "buildroot", str(texts.README), str(texts.CHANGELOG))


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
    every = request.EVERY
    return request.plans(root, version=version, dist=every, arch=every, flavor=every, source=source)


def is_pinned(root: Path, version: str) -> bool:
    """Whether there is a recipe of this version."""
    return version in recipes.versions(root)


def seal(root: Path) -> str:
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
        recipe = recipes.recipe(root, version)
        for change in recipe.patch:
            recipes.patch_file(root, recipe, change)
    except PackagingError as problem:
        yield Piece(name, problem.what)
        return
    yield Piece(name, "")
    files = {recipes.manifest_file(root, plan) for plan in plans(root, version)}
    missing = sorted(file.name for file in files if not file.is_file())
    yield Piece("manifests", f"missing {', '.join(missing)}" if missing else "")
    readme, changelog = (
        (root / file).read_text(encoding="utf-8") for file in (texts.README, texts.CHANGELOG)
    )
    yield Piece("README", "" if texts.has_row(readme, recipe) else "no row")
    yield Piece("CHANGELOG", "" if texts.announces(changelog, version) else "no entry")
