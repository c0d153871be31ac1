"""Releases that are not served any more, and why: ``recipes/withdrawn.toml``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.toml import load
from pipeline.publish import inventory


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Reasons by ``version-release``."""

    release: Mapping[str, str]


def read(root: Path) -> Mapping[str, str]:
    """The withdrawn releases of a checkout, ``version-release``, and why."""
    return load(root / "recipes" / "withdrawn.toml", Withdrawn, _faults).release


def without(files: Mapping[str, Path], releases: Mapping[str, str]) -> dict[str, Path]:
    """The files of packages, by their names, that are of no withdrawn release."""
    items = map(inventory.read, files.values())
    return {
        item.file.name: item.file
        for item in items
        if f"{item.version}-{item.release}" not in releases
    }


def _faults(withdrawn: Withdrawn) -> Iterator[str]:
    for release, why in withdrawn.release.items():
        if not re.fullmatch(r"[0-9][\w.]*-[1-9][0-9]*", release):
            yield f"release: expected version-release such as 3.4.3-1, got {release!r}"
        if not why.strip():
            yield f"release.{release}: expected the reason, which the page shows"
