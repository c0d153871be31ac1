"""The spec of a package, for staged files and for a build by itself; and the drop-in in it."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Plan
from pipeline.system.checksum import digest_of_files
from pipeline.system.templates import fill

SPEC = Path("recipes") / "mimalloc-custom.spec.j2"
DROPIN = Path("recipes") / "dropin.conf.j2"

# Made by rpm itself, and so not listed in a spec.
_BY_RPM = "/usr/lib/.build-id"


@dataclass(frozen=True, slots=True)
class Listing:
    """The installed paths of a package: folders from the prefix down, then everything else."""

    folders: tuple[str, ...]
    files: tuple[str, ...]


def staged(plan: Plan, stage: Path) -> Listing:
    """What was staged below a root."""
    prefix = stage / plan.package.prefix.lstrip("/")
    entries = {
        f"/{entry.relative_to(stage).as_posix()}": entry.is_dir() and not entry.is_symlink()
        for entry in [prefix, *sorted(prefix.rglob("*"))]
    }
    return Listing(
        tuple(path for path, is_folder in entries.items() if is_folder),
        tuple(path for path, is_folder in entries.items() if not is_folder),
    )


def listed(plan: Plan, manifest: Iterable[str]) -> Listing:
    """What a manifest lists; the folders above its files too, whether or not it lists them."""
    prefix = plan.package.prefix
    paths = [path for path in manifest if not path.startswith(_BY_RPM)]
    folders = {prefix}
    for path in paths:
        while (path := posixpath.dirname(path)).startswith(f"{prefix}/"):
            folders.add(path)
    return Listing(tuple(sorted(folders)), tuple(path for path in paths if path not in folders))


def templates_digest(root: Path) -> str:
    """One digest of the texts that are filled in."""
    return digest_of_files((root / SPEC, root / DROPIN))


def render(plan: Plan, root: Path, listing: Listing, options: Mapping[str, str]) -> str:
    """The text of the spec; ``options`` are cmake's, for a build by itself."""
    subpackage = plan.subpackage
    return fill(
        root / SPEC,
        plan=plan,
        subpackage=subpackage,
        dropin=dropin(plan, root, subpackage.unit) if subpackage else "",
        package=plan.package,
        recipe=plan.recipe,
        folders=listing.folders,
        files=listing.files,
        library=str(plan.library),
        options=options,
    )


def dropin(plan: Plan, root: Path, unit: str) -> str:
    """The text of systemd's drop-in that starts a unit on the plan's library."""
    return fill(root / DROPIN, unit=unit, library=plan.preload)
