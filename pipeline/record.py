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
    files = [target.with_name(name) for name in plan.file_names]
    if not all(_is_recorded(file, site.keys["check"]) for file in files):
        return None
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=False)


def _is_recorded(file: Path, key: str) -> bool:
    """Whether an RPM is whole, and the record beside it has this key."""
    try:
        record = json.loads(_record_of(file).read_text(encoding="utf-8"))
        return bool(record["key"] == key and record["sha256"] == sha256_of(file))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def destination(plan: Plan, workspace: Workspace, *, source: bool = False) -> Path:
    """The final name of a plan's package, or of the package that it is built from."""
    if source:
        return workspace.dist / plan.root.dist / "source" / plan.source_name
    return workspace.dist / plan.root.dist / plan.arch / plan.file_name


def publish(plan: Plan, site: Site) -> Built:
    """Give the checked package its final name, and put beside it what it was made from.

    The same is done for its sub-package: in the folder of the machine, where a repository of that
    machine looks for packages of no machine, too.
    """
    target = destination(plan, site.workspace)
    for name in plan.file_names:
        made = site.packages / name
        record = _record(plan, site, made)
        if f"{record['sha256']}  {name}" not in site.checked.read_text().splitlines():
            raise CheckError(
                f"{made.name} is not the file that was checked", file=made, hint="invoke clean"
            )
        place(made, target.with_name(name))
        place_text(json.dumps(record, indent=2) + "\n", _record_of(target.with_name(name)))
    return Built(plan, target, sha256_of(target), target.stat().st_size, fresh=True)


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
