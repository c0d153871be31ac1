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
    found = {}
    for name in DATA:
        start = root / name
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            if file.is_file():
                found[str(file.relative_to(root))] = sha256_of(file)
    return digest(found)


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
    yield Piece("CHANGELOG", "" if texts.mentions(changelog, version) else "no entry")
