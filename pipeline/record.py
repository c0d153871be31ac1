"""The finished package: its final name, and the record beside it of what it was made from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline import cmake, rpmbuild, toolchain
from pipeline.checksum import sha256_of
from pipeline.errors import CheckError
from pipeline.model import Built, Plan
from pipeline.workspace import Site, Workspace, place, place_text


def finished(plan: Plan, site: Site) -> Built | None:
    """The package in ``dist/``, where it is whole and made of just what the plan asks for."""
    target = destination(plan, site.workspace)
    try:
        record = json.loads(_record_of(target).read_text(encoding="utf-8"))
        same = record["key"] == site.keys["check"] and record["sha256"] == sha256_of(target)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    return Built(plan, target, record["sha256"], target.stat().st_size, fresh=False)


def destination(plan: Plan, workspace: Workspace, *, source: bool = False) -> Path:
    """The final name of a plan's package, or of the package that it is built from."""
    if source:
        return workspace.dist / plan.root.dist / "source" / plan.source_name
    return workspace.dist / plan.root.dist / plan.arch / plan.file_name


def publish(plan: Plan, site: Site) -> Built:
    """Give the checked package its final name, and put beside it what it was made from."""
    made = site.packages / plan.file_name
    target = destination(plan, site.workspace)
    record = _record(plan, site, made)
    if record["sha256"] != site.checked.read_text():
        raise CheckError(
            f"{made.name} is not the file that was checked", file=made, hint="invoke clean"
        )
    place(made, target)
    place_text(json.dumps(record, indent=2) + "\n", _record_of(target))
    return Built(plan, target, record["sha256"], target.stat().st_size, fresh=True)


def _record_of(target: Path) -> Path:
    return target.with_suffix(".json")


def _record(plan: Plan, site: Site, made: Path) -> dict[str, Any]:
    recipe, root = plan.recipe, plan.root
    return {
        "package": made.name,
        "sha256": sha256_of(made),
        "size": made.stat().st_size,
        "source": {
            "version": recipe.version,
            "released": recipe.released.isoformat(),
            "tree": recipe.tree,
            **json.loads(site.origin.read_text(encoding="utf-8")),
        },
        "patches": [asdict(change) for change in recipe.patch],
        "options": cmake.options(plan),
        "toolchain": {
            "name": plan.compiler.name,
            "target": plan.target,
            "versions": {**toolchain.versions(plan), "rpmbuild": rpmbuild.version()},
        },
        "build root": {"dist": root.dist, "glibc": root.glibc, "isa": plan.machine.isa},
        "flavor": plan.variant,
        "key": site.keys["check"],
    }


def vouches(rpm: Path) -> bool:
    """Whether the record beside a package names exactly this file."""
    try:
        record = json.loads(_record_of(rpm).read_text(encoding="utf-8"))
        return bool(record["sha256"] == sha256_of(rpm))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def replace(rpm: Path, signed: Path, signer: str) -> None:
    """Put the signed file in place."""
    record = json.loads(_record_of(rpm).read_text(encoding="utf-8"))
    record |= {"sha256": sha256_of(signed), "size": signed.stat().st_size, "signer": signer}
    place(signed, rpm)
    place_text(json.dumps(record, indent=2) + "\n", _record_of(rpm))


def beside(rpm: Path) -> tuple[Path, ...]:
    """What accounts for a package."""
    return (_record_of(rpm),)
